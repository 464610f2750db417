"""Large values in files."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cloudlet.store import StoreError
from cloudlet.store.blobs import Blobs


async def names(blobs: Blobs, older_than: float) -> list[str]:
    return [name async for some in blobs.names(older_than) for name in some]


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


async def written(blobs: Blobs, *pieces: bytes) -> str:
    writer = await blobs.begin()
    for piece in pieces:
        await writer.write(piece)
    await writer.keep()
    return writer.name


@pytest.mark.parametrize("durable", [True, False])
def test_a_blob_is_what_was_written_and_its_hashes_are_of_that(tmp_path: Path, durable: bool) -> None:
    async def main() -> None:
        blobs = Blobs(tmp_path / "blobs", durable=durable)
        source = random.Random(3)
        pieces = [source.randbytes(source.choice((0, 1, 1000, 300_000, 2_000_000))) for _ in range(40)]
        hashes = [hashlib.md5(), hashlib.sha256()]
        writer = await blobs.begin(hashes)
        for piece in pieces:
            await writer.write(piece)
        assert not blobs.path(writer.name).exists()
        await writer.keep()
        whole = b"".join(pieces)
        assert writer.size == len(whole)
        assert blobs.path(writer.name).read_bytes() == whole
        assert [each.digest() for each in hashes] == [hashlib.md5(whole).digest(), hashlib.sha256(whole).digest()]
        assert await names(blobs, -60) == [writer.name]
        assert await names(blobs, 60) == []

    run(main())


def test_stores_that_are_used_with_one_folder_leave_each_others_blobs_alone(tmp_path: Path) -> None:
    class Marked:
        def __init__(self, own: str) -> None:
            self._own = own

        async def mark(self) -> str:
            return self._own

        async def marks(self) -> tuple[str, ...]:
            return (self._own,)

    async def main() -> None:
        stores = [Blobs(tmp_path), *(Blobs(tmp_path, marks=Marked(own)) for own in ("-1", "-2"))]
        blobs = [await written(store, b"x") for store in stores]
        links = [await store.link(blob) for store, blob in zip(stores, blobs, strict=True)]
        for store, *own in zip(stores, blobs, links, strict=True):
            assert sorted(await names(store, -60)) == sorted(own)

    run(main())


def test_what_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = Blobs(tmp_path / "blobs")
        writer = await blobs.begin()
        await writer.write(b"x" * 3_000_000)
        await writer.discard()
        assert [file for file in tmp_path.rglob("*") if file.is_file()] == []

    run(main())


@pytest.mark.parametrize("step", ["write", "keep"])
def test_who_is_cancelled_leaves_nothing_that_writes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The descriptor's number is another file's as soon as it is closed."""
    begun, goes_on = threading.Event(), threading.Event()
    closed_too_early = []

    def held(function: Callable[..., Any]) -> Callable[..., Any]:
        def slow(file: int, *given: Any) -> Any:
            begun.set()
            goes_on.wait()
            try:
                return function(file, *given)
            except OSError as error:
                closed_too_early.append(error)
                raise

        return slow

    async def main() -> None:
        blobs = Blobs(tmp_path / "blobs")
        writer = await blobs.begin()
        await writer.write(b"x")
        name = "write" if step == "write" else "fdatasync"
        monkeypatch.setattr(f"cloudlet.store.blobs.os.{name}", held(getattr(os, name)))
        keeping = asyncio.create_task(writer.keep())
        await asyncio.to_thread(begun.wait)
        keeping.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        abandoned = await asyncio.to_thread(lambda: writer._file < 0)
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await keeping
        assert not abandoned
        assert closed_too_early == []
        assert not blobs.fresh_path(writer.name).exists()

    run(main())


def test_a_folder_that_another_has_just_made_is_made_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("cloudlet.store.blobs.sync_folder", synced.append)

    async def main() -> None:
        blobs = Blobs(tmp_path / "blobs")
        writer = await blobs.begin()
        folder = blobs.path(writer.name).parent
        folder.mkdir()
        await writer.keep()
        assert synced == [folder.parent, folder]

    run(main())


def test_what_was_never_finished_is_swept(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = Blobs(tmp_path / "blobs")
        kept = await written(blobs, b"kept")
        writer = await blobs.begin()
        await writer.write(b"never finished")
        await blobs.remove_unfinished(older_than=60)
        assert blobs.fresh_path(writer.name).exists()
        await blobs.remove_unfinished(older_than=-60)
        assert not blobs.fresh_path(writer.name).exists()
        assert await names(blobs, -60) == [kept]

    run(main())


def test_a_blob_that_is_read_is_removed_afterwards(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = Blobs(tmp_path / "blobs")
        name, other = await written(blobs, b"one"), await written(blobs, b"other")
        first, second = blobs.read([name]), blobs.read([name])
        await blobs.remove([name, other, "gone" * 8])
        assert blobs.path(name).exists()
        assert not blobs.path(other).exists()
        first()
        assert blobs.path(name).exists()
        second()
        async with asyncio.timeout(10):
            while blobs.path(name).exists():
                await asyncio.sleep(0)

    run(main())


def test_a_disk_that_fails_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StoreError):
            await Blobs(tmp_path / "file").begin()
        blobs = Blobs(tmp_path / "blobs")
        writer = await blobs.begin()
        blobs.fresh_path(writer.name).unlink()
        await writer.write(b"x")
        with pytest.raises(StoreError):
            await writer.keep()
        assert [file for file in (tmp_path / "blobs").rglob("*") if file.is_file()] == []

    run(main())


def test_a_file_that_can_have_no_more_names_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.EMLINK, "Too many links")

    async def main() -> None:
        blobs = Blobs(tmp_path / "blobs")
        name = await written(blobs, b"x" * 3_000_000)
        monkeypatch.setattr(os, "link", full)
        other = await blobs.link(name)
        await blobs.remove([name])
        assert blobs.path(other).read_bytes() == b"x" * 3_000_000
        assert blobs.path(other).stat().st_mode & 0o777 == 0o600
        with pytest.raises(StoreError):
            await blobs.link(name)

    run(main())
