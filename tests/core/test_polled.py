"""How much is looked at where what polls is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws.polling import presence, reconciling
from cloudlet.core.aws.polling.poller import Poller
from cloudlet.core.aws.polling.reconciling import PollerKind, run
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Config
from tests.in_process import InProcess

_MANY = 1000
_CHANGES = 300
_SPACE = Subspace("polled")
_TOPIC = b"polled"


class _AtRest:
    """It does not poll, and is what it is to be."""

    id = "a"
    revision = 1
    polls = False

    async def advance(self, block: Block, lease: Lease) -> bool:
        raise AssertionError("it is what it is to be")

    def poller(self, block: Block, lease: Lease) -> Poller:
        raise AssertionError("it does not poll")


def test_changes_of_one_after_the_other_of_very_many_are_settled_together(tmp_path: Path) -> None:
    looked_at = 0

    def decode(raw: bytes) -> _AtRest:
        nonlocal looked_at
        looked_at += 1
        return _AtRest()

    async def make_many(tx: Transaction) -> None:
        for number in range(_MANY):
            tx.put(_SPACE.key(number), b"")

    async def change(tx: Transaction) -> None:
        tx.notify(_TOPIC)

    async def scenario() -> None:
        block = cloud.cloud.block("sqs")
        await block.store.transact(make_many)
        reconciling = asyncio.create_task(run(block, PollerKind(_TOPIC, _SPACE, decode)))
        for _ in range(_CHANGES):
            await block.store.transact(change)
            await asyncio.sleep(0)
        reconciling.cancel()
        await asyncio.wait((reconciling,))

    cloud = InProcess(Config(data=tmp_path, durable=False))
    cloud.run(scenario())
    cloud.close()
    assert _MANY <= looked_at < _MANY * _CHANGES / 3


class _Queue:
    """Polls until it is stopped, and may then have something under way."""

    at_work: ClassVar[list[_Queue]] = []
    under_way: ClassVar[asyncio.Event]

    def __init__(self, poller: Any) -> None:
        self._stopping = poller.stopping
        self._number = len(self.at_work)

    async def run(self) -> None:
        self.at_work.append(self)
        await self._stopping.wait()
        if self._number:
            await self.under_way.wait()


class _Changing:
    """It is what its row says: the state that it is in, and a number that counts the changes."""

    id = "a"

    def __init__(self, state: str, revision: int) -> None:
        self.state = state
        self.revision = revision

    @classmethod
    def decode(cls, raw: bytes) -> _Changing:
        state, revision = raw.decode().split()
        return cls(state, int(revision))

    @property
    def polls(self) -> bool | None:
        return {"running": True, "stopped": False}.get(self.state)

    async def advance(self, block: Block, lease: Lease) -> bool:
        await _become(block, "stopped", self.revision)
        return False

    def poller(self, block: Block, lease: Lease) -> Any:
        source = SimpleNamespace(arn=SimpleNamespace(service="sqs"))
        return SimpleNamespace(stopping=asyncio.Event(), source=source, backoff=lambda: None)


async def _become(block: Block, state: str, revision: int) -> None:
    async def body(tx: Transaction) -> None:
        tx.put(_SPACE.key("a"), f"{state} {revision}".encode())
        tx.notify(_TOPIC)

    await block.store.transact(body)


async def _state(block: Block) -> str:
    raw = await block.store.transact(lambda tx: tx.get(_SPACE.key("a")))
    assert raw is not None
    return _Changing.decode(raw).state


async def _left_by_a_process_that_is_gone(block: Block) -> None:
    async with Lease(block, "gone") as lease:
        await block.store.transact(partial(_entered, lease=lease))


async def _entered(tx: Transaction, lease: Lease) -> None:
    presence.register(tx, "a", lease)


def test_it_is_at_rest_once_no_process_has_anything_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them run it; one has not finished when the other one has."""
    monkeypatch.setattr(reconciling, "Queue", _Queue)
    monkeypatch.setattr(_Queue, "at_work", [])

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)

    async def scenario() -> None:
        monkeypatch.setattr(_Queue, "under_way", asyncio.Event(), raising=False)
        block = cloud.cloud.block("sqs")
        await _left_by_a_process_that_is_gone(block)
        await _become(block, "running", 1)
        kind = PollerKind(_TOPIC, _SPACE, _Changing.decode)
        processes = [asyncio.create_task(run(block, kind)) for _ in range(2)]
        await until(lambda: len(_Queue.at_work) == 2)
        await _become(block, "stopping", 2)
        await until(lambda: all(each._stopping.is_set() for each in _Queue.at_work))
        await cloud.settle()
        assert await _state(block) == "stopping"
        _Queue.under_way.set()
        async with asyncio.timeout(20):
            while await _state(block) != "stopped":
                await asyncio.sleep(0.001)
        for each in processes:
            each.cancel()
        await asyncio.wait(processes)

    cloud = InProcess(Config(data=tmp_path, durable=False))
    cloud.block = "sqs"
    try:
        cloud.run(scenario())
        assert cloud.transact(_at_work) == []
    finally:
        cloud.close()


async def _at_work(tx: Transaction) -> list[Any]:
    space = Subspace("at-work")
    return await tx.range(space.begin, space.end, limit=10)


def test_what_is_to_be_something_else_by_now_is_not_begun(tmp_path: Path) -> None:
    """A process has read that it runs, and another one has stopped it meanwhile."""

    async def scenario() -> bool:
        block = cloud.cloud.block("sqs")
        async with Lease(block) as lease, asyncio.TaskGroup() as group:
            runner = reconciling._Reconciler(
                block, PollerKind(_TOPIC, _SPACE, _Changing.decode), lease, group, asyncio.Event()
            )
            await _become(block, "running", 1)
            enter = partial(runner._enter, key=_SPACE.key("a"), found=_Changing("running", 1))
            assert await block.store.transact(enter)
            await _become(block, "stopped", 2)
            return await block.store.transact(enter)

    cloud = InProcess(Config(data=tmp_path, durable=False))
    try:
        assert not cloud.run(scenario())
    finally:
        cloud.close()
