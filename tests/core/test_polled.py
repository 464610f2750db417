"""How much is looked at where what polls is changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cloudlet.core import Subspace, Transaction
from cloudlet.core.block import Block
from cloudlet.core.cloud import Config
from cloudlet.core.lease import Lease
from cloudlet.core.polling.poller import Poller
from cloudlet.core.polling.running import Kind, run
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
        running = asyncio.create_task(run(block, Kind(_TOPIC, _SPACE, decode)))
        for _ in range(_CHANGES):
            await block.store.transact(change)
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait((running,))

    cloud = InProcess(Config(data=tmp_path, durable=False))
    cloud.run(scenario())
    cloud.close()
    assert _MANY <= looked_at < _MANY * _CHANGES / 3
