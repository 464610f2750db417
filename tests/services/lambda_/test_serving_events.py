"""Events whose serving goes wrong in a way that nobody has foreseen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background import jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_ import invoking
from cloudlet.services.lambda_.asynchronous import event as events
from cloudlet.services.lambda_.asynchronous import serving
from cloudlet.services.lambda_.asynchronous.event import Event
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import Place
from cloudlet.services.lambda_.invoking import Target
from tests.in_process import in_block


@pytest.mark.parametrize("size", [10, 100_000])
def test_they_are_kept_and_come_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    payload = b'"' + b"x" * size + b'"'
    tried = 0

    async def broken(*_: object) -> None:
        nonlocal tried
        tried += 1
        raise RuntimeError("a defect")

    monkeypatch.setattr(invoking, "target_of", broken)

    async def postponed(block: Block, accepted: float) -> Event:
        while True:
            ((_, stored),) = await block.store.transact(lambda tx: events.first(tx, 2))
            kept = events.decode(stored)
            if kept.due > accepted:
                return kept
            await asyncio.sleep(0.01)

    async def scenario(block: Block) -> None:
        now = block.clock.now()
        place = Place("123456789012", "us-east-1", "f")
        event = Event(place=place, qualifier="", request_id="r", payload=payload, accepted=now, due=now)

        async def accept(tx: Transaction) -> None:
            events.accept(tx, event)

        async def forget(tx: Transaction) -> None:
            events.forget(tx, kept)

        await block.store.transact(accept)
        kept = await asyncio.wait_for(postponed(block, now), 10)
        assert kept.refusals == tried
        # What is read and written again and again is small.
        assert len(kept.payload) < 5000
        assert (await block.store.transact(lambda tx: events.whole(tx, kept))).payload == payload
        await block.store.transact(forget)
        assert await block.store.transact(lambda tx: events.first(tx, 2)) == []
        assert (await block.store.transact(lambda tx: events.whole(tx, replace(kept, payload=b"")))).payload == b"{}"

    in_block("lambda", tmp_path, scenario)


def test_one_that_was_served_after_it_had_been_read_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_for: list[str] = []

    async def gone(tx: Transaction, what: FunctionReference) -> Target:
        looked_for.append(what.arn)
        raise AwsError("ResourceNotFoundException", "")

    monkeypatch.setattr(invoking, "target_of", gone)

    async def scenario(block: Block) -> None:
        now = block.clock.now()
        place = Place("123456789012", "us-east-1", "f")
        read = Event(place=place, qualifier="", request_id="r", payload=b"{}", accepted=now, due=now)
        await serving._see_to(block, read)
        assert not looked_for

    in_block("lambda", tmp_path, scenario)


@pytest.mark.parametrize(("functions", "of_each"), [(1, 300), (3, 1000)])
def test_slow_functions_with_many_events_do_not_keep_others_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, functions: int, of_each: int
) -> None:
    quick = Place("123456789012", "us-east-1", "quick")
    slow = [Place("123456789012", "us-east-1", f"slow{number}") for number in range(functions)]
    served, serving_slow = asyncio.Event(), 0

    async def serve(block: Block, event: Event) -> None:
        nonlocal serving_slow
        if event.place == quick:
            served.set()
            return
        serving_slow += 1
        await asyncio.Event().wait()

    monkeypatch.setattr(serving, "_serve", serve)

    async def scenario(block: Block) -> None:
        now = block.clock.now()

        async def accept(tx: Transaction) -> None:
            for number, place in enumerate([*slow * of_each, quick]):
                id = f"{number:04d}"
                events.accept(tx, Event(place=place, qualifier="", request_id=id, payload=b"{}", accepted=now, due=now))

        await block.store.transact(accept)
        await asyncio.wait_for(served.wait(), 60)
        await _settled(lambda: serving_slow >= functions * serving.OF_ONE_FUNCTION)
        assert serving_slow == functions * serving.OF_ONE_FUNCTION

    in_block("lambda", tmp_path, scenario)


def test_functions_of_an_account_do_not_have_all_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [Place("111111111111", "us-east-1", f"f{number}") for number in range(3)]
    other = Place("222222222222", "us-east-1", "other")
    served, at_once = asyncio.Event(), 0

    async def serve(block: Block, event: Event) -> None:
        nonlocal at_once
        if event.place == other:
            served.set()
            return
        at_once += 1
        await asyncio.Event().wait()

    monkeypatch.setattr(serving, "_serve", serve)
    # Nothing gives its place away.
    monkeypatch.setattr(serving, "_QUICK_SECONDS", 3600.0)
    monkeypatch.setattr(jobs, "_SLOW_SECONDS", 3600.0)

    async def scenario(block: Block) -> None:
        now = block.clock.now()

        async def accept(tx: Transaction) -> None:
            for number, place in enumerate([*many * 100, other]):
                id = f"{number:04d}"
                events.accept(tx, Event(place=place, qualifier="", request_id=id, payload=b"{}", accepted=now, due=now))

        await block.store.transact(accept)
        await asyncio.wait_for(served.wait(), 60)
        await _settled(lambda: at_once >= serving.OF_ONE_ACCOUNT)
        assert at_once == serving.OF_ONE_ACCOUNT

    in_block("lambda", tmp_path, scenario)


async def _settled(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, and whatever else can go on by itself has gone on."""
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.01)
    for _ in range(500):
        await asyncio.sleep(0)
