"""What is kept ready for an account does not keep others waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_.execution.pool import Pools
from cloudlet.services.lambda_.functions import directory, provisioning
from cloudlet.services.lambda_.functions.concurrency import PROVISIONED, Provisioned
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import Function, Package, Place, Version
from tests.in_process import in_block


def test_who_takes_long_to_start_holds_up_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = (FunctionReference(Place(account * 12, "us-east-1", "f"), "1") for account in "12")

    async def keep(pools: Pools, arn: str, version: Version, count: int) -> int:
        if version.place == slow.place:
            await asyncio.Event().wait()
        return count

    monkeypatch.setattr(Pools, "keep", keep)

    async def scenario(block: Block) -> None:
        for what in (slow, quick):
            await _want(block, what, 2)
        await asyncio.wait_for(_ready(block, quick, 2), 30)
        assert (await _found(block, slow)).available == 0

    in_block("lambda", tmp_path, scenario)


def test_what_is_wanted_meanwhile_is_seen_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what, goes_on, begun = FunctionReference(Place("1" * 12, "us-east-1", "f"), "1"), asyncio.Event(), asyncio.Event()

    async def keep(pools: Pools, arn: str, version: Version, count: int) -> int:
        begun.set()
        await goes_on.wait()
        return count

    monkeypatch.setattr(Pools, "keep", keep)
    # It is not looked again for the sake of what has ended.
    monkeypatch.setattr(provisioning, "_LOOK_SECONDS", 3600.0)

    async def scenario(block: Block) -> None:
        await _want(block, what, 1)
        await asyncio.wait_for(begun.wait(), 30)
        await _want(block, what, 3)
        goes_on.set()
        await asyncio.wait_for(_ready(block, what, 3), 30)

    in_block("lambda", tmp_path, scenario)


async def _want(block: Block, what: FunctionReference, count: int) -> None:
    """Have so many provisioned for a version."""
    version = Version(place=what.place, number=1, package=Package("code", "", 1, 1), state="Active", revision="1")

    async def body(tx: Transaction) -> None:
        directory.save_function(tx, Function(place=what.place))
        await directory.save_version(tx, version, 0.0)
        PROVISIONED.save(tx, what.place, "1", Provisioned(count, float(count)))
        provisioning.changed(tx, what)

    await block.store.transact(body)


async def _found(block: Block, what: FunctionReference) -> Provisioned:
    found = await block.store.transact(lambda tx: PROVISIONED.find(tx, what.place, "1"))
    assert found is not None
    return found


async def _ready(block: Block, what: FunctionReference, count: int) -> None:
    while (await _found(block, what)).available != count:
        await asyncio.sleep(0.01)
