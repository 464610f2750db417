"""Snapshots of a data folder, and what a crash in the middle of a restore or a reset leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudlet.core.host.snapshots import SnapshotError, Snapshots, remove_leftovers
from cloudlet.store.blobs import Blobs


def test_blocks_that_were_about_to_be_replaced_come_back(tmp_path: Path) -> None:
    (tmp_path / ".replaced-blocks" / "sqs").mkdir(parents=True)
    (tmp_path / ".fresh-1" / "sqs").mkdir(parents=True)
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["blocks"]
    assert (tmp_path / "blocks" / "sqs").exists()


def test_blocks_that_have_been_replaced_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".replaced-blocks" / "old").mkdir(parents=True)
    (tmp_path / "blocks" / "new").mkdir(parents=True)
    (tmp_path / "snapshots" / ".fresh-2").mkdir(parents=True)
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocks", "snapshots"]
    assert (tmp_path / "blocks" / "new").exists()
    assert not list((tmp_path / "snapshots").iterdir())


class Stopped:
    """Blocks none of which runs."""

    async def stopped(self, change: Callable[[], None]) -> None:
        await asyncio.to_thread(change)


def test_blobs_come_back_with_their_block(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = Blobs(tmp_path / "blocks" / "s3" / "blobs")
        writer = await blobs.begin()
        await writer.write(b"a picture")
        await writer.keep()
        snapshots = Snapshots(tmp_path, Stopped(), lambda: None, lambda: None)
        await snapshots.save("a")
        await blobs.remove([writer.name])
        assert not blobs.path(writer.name).exists()
        await snapshots.restore("a")
        assert blobs.path(writer.name).read_bytes() == b"a picture"
        await blobs.remove([writer.name])
        await snapshots.restore("a")
        assert blobs.path(writer.name).read_bytes() == b"a picture"

    asyncio.run(main())


def test_of_two_that_save_under_one_name_the_second_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        snapshots = Snapshots(tmp_path, Stopped(), lambda: None, lambda: None)
        saved, refused = await asyncio.gather(snapshots.save("a"), snapshots.save("a"), return_exceptions=True)
        assert saved is None
        with pytest.raises(SnapshotError, match="there is a snapshot a already"):
            raise refused or AssertionError("it was saved twice")
        assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["a"]

    asyncio.run(main())


def test_what_is_being_restored_is_not_deleted(tmp_path: Path) -> None:
    async def main() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        class Held(Stopped):
            async def stopped(self, change: Callable[[], None]) -> None:
                begun.set()
                await go_on.wait()
                await super().stopped(change)

        await Snapshots(tmp_path, Stopped(), lambda: None, lambda: None).save("a")
        snapshots = Snapshots(tmp_path, Held(), lambda: None, lambda: None)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(snapshots.restore("a"))
            await begun.wait()
            group.create_task(snapshots.delete("a"))
            for _ in range(10):
                await asyncio.sleep(0)
            assert snapshots.list() == ["a"]
            go_on.set()
        assert snapshots.list() == []

    asyncio.run(main())
