"""Updates of functions: what was there before serves until one has succeeded, and for good where it fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background import jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_ import invoking
from cloudlet.services.lambda_.code import claims, unpacking
from cloudlet.services.lambda_.functions import deleting, directory, settling, versions
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import Function, Package, Place, Version
from tests.in_process import in_block
from tests.services.lambda_.cloud import RUNTIME, FunctionCloud, package
from tests.services.lambda_.programs import invoke, python
from tests.standing import eventually

PLACE = Place("123456789012", "us-east-1", "f")


def test_a_package_that_cannot_be_unpacked_leaves_the_function_as_it_was(cloud: FunctionCloud) -> None:
    python(cloud, "return 'earlier'", Description="earlier")
    before = cloud.client.get_function_configuration(FunctionName="f")
    # The file's name stands before the file, and again in the list of all.
    broken = package().replace(b"index", b"outer", 1)
    cloud.client.update_function_code(FunctionName="f", ZipFile=broken)
    shown = eventually(
        lambda: cloud.client.get_function_configuration(FunctionName="f"),
        lambda found: found["LastUpdateStatus"] == "Failed",
    )
    assert shown["LastUpdateStatusReasonCode"] == "InvalidZipFileException"
    assert shown["LastUpdateStatusReason"].startswith("The package cannot be unpacked: File name in directory")
    told = {name for name in shown if name.startswith("LastUpdateStatus")} | {"ResponseMetadata"}
    assert {name: shown[name] for name in shown if name not in told} == {
        name: before[name] for name in before if name not in told
    }
    assert invoke(cloud).value == "earlier"
    cloud.client.update_function_code(FunctionName="f", ZipFile=package({"index.py": "handler = lambda *_: 'later'"}))
    cloud.wait()
    assert invoke(cloud).value == "later"


@pytest.mark.parametrize("is_broken", [False, True])
def test_earlier_code_serves_and_is_kept_while_an_update_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_broken: bool
) -> None:
    unpacks, goes_on = asyncio.Event(), asyncio.Event()

    async def unpacked(_: Block, account: str, code: str) -> Path:
        if code == "new":
            unpacks.set()
            await goes_on.wait()
            if is_broken:
                raise unpacking.BadPackage("broken")
        return tmp_path

    monkeypatch.setattr(unpacking, "unpacked", unpacked)

    async def scenario(block: Block) -> None:
        await _updated(block)
        await asyncio.wait_for(unpacks.wait(), 10)
        assert await _serves(block) == "old"
        assert await _unclaimed(block) == []
        goes_on.set()
        await asyncio.wait_for(_settled(block), 10)
        assert await _serves(block) == ("old" if is_broken else "new")
        assert await _unclaimed(block) == ["new" if is_broken else "old"]

    in_block("lambda", tmp_path, scenario)


def test_who_updates_many_functions_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way: list[str] = []

    async def unpacked(_: Block, account: str, code: str) -> Path:
        under_way.append(account)
        if account == PLACE.account:
            await asyncio.Event().wait()
        return tmp_path

    monkeypatch.setattr(unpacking, "unpacked", unpacked)
    # Nobody makes room for another since he takes long.
    monkeypatch.setattr(settling._UNPACKING, "_patience_seconds", 3600.0)
    monkeypatch.setattr(jobs, "_SLOW_SECONDS", 3600.0)
    last = replace(PLACE, account="9" * 12)

    async def scenario(block: Block) -> None:
        async def make(tx: Transaction) -> None:
            for place in (*(replace(PLACE, name=f"f{number}") for number in range(20)), last):
                directory.add_function(tx, Function(place=place))
                made = settling.created(Version(place=place, runtime=RUNTIME, package=Package("code", "", 1, 1)))
                await directory.save_version(tx, made, 0.0)
                settling.settle(tx, made)

        await block.store.transact(make)
        async with asyncio.timeout(30):
            while (await block.store.transact(lambda tx: directory.latest(tx, last))).state == "Pending":
                await asyncio.sleep(0.01)
        assert under_way.count(PLACE.account) == 4

    in_block("lambda", tmp_path, scenario)


def test_a_function_that_is_deleted_during_an_update_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unpacked(*_: object) -> Path:
        await asyncio.Event().wait()
        return tmp_path

    monkeypatch.setattr(unpacking, "unpacked", unpacked)

    async def scenario(block: Block) -> None:
        await _updated(block)
        await block.store.transact(lambda tx: deleting.delete_function(tx, PLACE, 2.0))
        assert await block.store.transact(lambda tx: directory.take_former(tx, PLACE, 3.0)) is None
        assert await _unclaimed(block) == ["new", "old"]

    in_block("lambda", tmp_path, scenario)


def test_a_runtime_that_cannot_be_had_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def unpacked(*_: object) -> Path:
        return tmp_path

    monkeypatch.setattr(unpacking, "unpacked", unpacked)

    async def scenario(block: Block) -> None:
        async def make(tx: Transaction) -> None:
            directory.add_function(tx, Function(place=PLACE))
            made = settling.created(Version(place=PLACE, runtime="ruby3.4", package=Package("code", "", 1, 1)))
            await directory.save_version(tx, made, 0.0)
            settling.settle(tx, made)

        await block.store.transact(make)
        async with asyncio.timeout(30):
            while (await block.store.transact(lambda tx: directory.latest(tx, PLACE))).state != "Failed":
                await asyncio.sleep(0.01)

    in_block("lambda", tmp_path, scenario)
    (warning,) = [record for record in caplog.records if "ruby3.4" in record.getMessage()]
    assert (warning.levelname, PLACE.arn in warning.getMessage()) == ("WARNING", True)


async def _updated(block: Block) -> None:
    """Update the code of a function."""
    old = Version(place=PLACE, runtime=RUNTIME, package=Package("old", "", 1, 1), state="Active", revision="1")

    async def make(tx: Transaction) -> None:
        directory.add_function(tx, Function(place=PLACE))
        await directory.save_version(tx, old, 0.0)

    async def update(tx: Transaction) -> None:
        await versions.update(tx, replace(old, package=Package("new", "", 1, 1)), 1.0)

    await block.store.transact(make)
    await block.store.transact(update)


async def _serves(block: Block) -> str:
    found = await block.store.transact(lambda tx: invoking.target_of(tx, FunctionReference(PLACE, None)))
    return found.resolved.version.package.code


async def _settled(block: Block) -> None:
    while (await block.store.transact(lambda tx: directory.latest(tx, PLACE))).last_update == "InProgress":
        await asyncio.sleep(0.01)


async def _unclaimed(block: Block) -> list[str]:
    """Return which code is not kept any more."""

    async def body(tx: Transaction) -> list[str]:
        return [code for code in ("new", "old") if not await claims.is_claimed(tx, code)]

    return await block.store.transact(body)
