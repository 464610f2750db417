"""Events whose serving goes wrong in a way that nobody has foreseen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.block import Block
from cloudlet.core.cloud import Cloud, Config
from cloudlet.core.tokens import TokenSealer
from cloudlet.services.lambda_ import invoking
from cloudlet.services.lambda_.asynchronous import event as events
from cloudlet.services.lambda_.asynchronous.event import Event
from cloudlet.services.lambda_.function import Place


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
            (kept,) = await block.store.transact(lambda tx: events.first(tx, 2))
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

    async def run() -> None:
        cloud = Cloud(Config(tmp_path, durable=False), TokenSealer(b"k" * 32))
        try:
            await scenario(cloud.block("lambda"))
        finally:
            await cloud.close()

    asyncio.run(run())
