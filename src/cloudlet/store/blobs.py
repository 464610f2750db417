"""Large values: files beside a store, written once, never changed, and removed once nobody reads them.

The store's rows say which blobs there are. A blob is durable before a transaction that names it begins, and is removed
after the transaction that forgets it is committed; what a crash leaves in between, its owner finds by `names`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from cloudlet.store import hard_links
from cloudlet.store.disk_space import is_short
from cloudlet.store.folders import sync_folder
from cloudlet.store.interface import StoreError

T = TypeVar("T")

_THREADS = 8
_FRESH = ".fresh-"
_RANDOM_BYTES = 16
_PIECE_BYTES = 1 << 20
_NAMES = 500
_UNSYNCED_BYTES = 16 << 20
"""So much is written before the disk is asked to take it, so that the end of a large blob has not to wait for all."""

_executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")


UNMARKED = ""
"""The end of the names of blobs whose rows are beside them."""


def mark_in(name: str) -> str:
    """Return what a blob's name ends with: it tells whose it is."""
    return name[2 * _RANDOM_BYTES :]


class MissingBlob(StoreError):
    """The rows name a blob that is not there, or not as a whole: that does not pass."""


class Hash(Protocol):
    """What is computed of a blob while it is written."""

    def update(self, data: bytes, /) -> object: ...


class Marks(Protocol):
    """The marks that tell a store's blobs from those of others."""

    async def mark(self) -> str:
        """Return what the names of new blobs end with. Raises StoreError."""

    async def marks(self) -> tuple[str, ...]:
        """Return what the names of all the store's own blobs end with. Raises StoreError."""


class Blobs:
    """The blobs of one block. Used from one event loop; the disk is waited for in threads.

    Where the rows that name them are not kept beside them, `marks` tells their store from all others: blobs have it in
    their names, lest another store that is used with the same folder takes them for its own.
    """

    def __init__(self, folder: Path, *, durable: bool = True, marks: Marks | None = None) -> None:
        self._folder = folder
        self._durable = durable
        self._marks = marks
        self._readers: Counter[str] = Counter()
        self._doomed: set[str] = set()
        self._folders: set[Path] = set()
        """Those whose names are durable."""

    def path(self, name: str) -> Path:
        """Return the file of a blob."""
        return self._folder / name[:2] / name

    async def begin(self, hashes: Sequence[Hash] = ()) -> BlobWriter:
        """Begin a blob; `hashes` are told all of its bytes. Raises StoreError."""
        writer = BlobWriter(self, await self._new_name(), hashes, durable=self._durable)
        await in_thread(writer.open)
        return writer

    async def link(self, name: str) -> str:
        """Give a blob a second name, durably, and return it: each of the two lasts until it is removed itself.

        Raises StoreError, also where there is no such blob any more.
        """
        other = await self._new_name()

        def link() -> None:
            fresh = self.fresh_path(other)
            hard_links.link_or_copy(self.path(name), fresh, durable=self._durable)
            # Its age is that of the name: what is young may yet be referred to.
            os.utime(fresh)
            self.name(fresh, other)

        await in_thread(link)
        return other

    async def _new_name(self) -> str:
        return os.urandom(_RANDOM_BYTES).hex() + (UNMARKED if self._marks is None else await self._marks.mark())

    def check(self, pieces: Iterable[tuple[str, int]]) -> None:
        """See that blobs are there, up to an offset in each. Raises MissingBlob.

        It asks for no more than their sizes, which takes microseconds, so that no thread is asked.
        """
        for name, end in pieces:
            try:
                is_whole = self.path(name).stat().st_size >= end
            except FileNotFoundError:
                raise MissingBlob(f"the file {self.path(name)} is not there") from None
            except OSError as error:
                raise StoreError(str(error)) from error
            if not is_whole:
                raise MissingBlob(f"the file {self.path(name)} is shorter than it was")

    def name(self, fresh: Path, name: str) -> None:
        """Give what is in a file that is not finished its final name, durably. Waits for the disk."""
        final = self.path(name)
        if final.parent not in self._folders:
            # That it is there does not say that whoever has made it has made it durable.
            final.parent.mkdir(exist_ok=True)
            self._sync_folder(final.parent.parent)
            self._folders.add(final.parent)
        fresh.rename(final)
        self._sync_folder(final.parent)

    def _sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        if self._durable:
            sync_folder(folder)

    def fresh_path(self, name: str) -> Path:
        """Return the file of a blob that is being written."""
        return self._folder / f"{_FRESH}{name}"

    def read(self, names: Iterable[str]) -> Callable[[], None]:
        """Keep blobs from being removed until the returned function is called."""
        held = list(names)
        self._readers.update(held)

        def release() -> None:
            self._readers.subtract(held)
            done = [name for name in held if self._readers[name] <= 0]
            for name in done:
                del self._readers[name]
            doomed = self._doomed.intersection(done)
            self._doomed -= doomed
            for name in doomed:
                _executor.submit(self._unlink, name)

        return release

    async def remove(self, names: Iterable[str]) -> None:
        """Remove blobs, or those that are being read as soon as they are not. Removing what is gone is no error."""
        asked = set(names)
        self._doomed |= asked & self._readers.keys()
        free = asked - self._readers.keys()
        if free:
            await in_thread(partial(self._unlink, *free))

    def _unlink(self, *names: str) -> None:
        for name in names:
            self.path(name).unlink(missing_ok=True)

    async def names(self, older_than: float) -> AsyncIterator[list[str]]:
        """Return this store's blobs that were written more than so many seconds ago, some of them at a time."""
        before = time.time() - older_than
        found = self._names(before, (UNMARKED,) if self._marks is None else await self._marks.marks())
        while names := await in_thread(lambda: list(islice(found, _NAMES))):
            yield names

    def _names(self, before: float, marks: tuple[str, ...]) -> Iterator[str]:
        for number in range(256):
            folder = self._folder / f"{number:02x}"
            if folder.exists():
                with os.scandir(folder) as files:
                    for file in files:
                        with suppress(FileNotFoundError):
                            if mark_in(file.name) in marks and file.stat().st_mtime < before:
                                yield file.name

    async def remove_unfinished(self, older_than: float) -> None:
        """Remove what was begun more than so many seconds ago and not finished."""
        await in_thread(lambda: self._remove_unfinished(time.time() - older_than))

    def _remove_unfinished(self, before: float) -> None:
        for file in self._folder.glob(f"{_FRESH}*"):
            # One that is being written may be finished at this moment.
            with suppress(FileNotFoundError):
                if file.stat().st_mtime < before:
                    file.unlink()


class BlobWriter:
    """A blob that is being written: `write` it all, then `keep` or `discard` it."""

    def __init__(self, blobs: Blobs, name: str, hashes: Sequence[Hash], *, durable: bool) -> None:
        self.name = name
        self.size = 0
        self._blobs = blobs
        self._hashes = hashes
        self._durable = durable
        self._file = -1
        self._unsynced = 0
        self._parts: list[bytes] = []
        self._held = 0
        self._under_way: Awaitable[Any] | None = None
        self._syncing: asyncio.Future[None] | None = None

    def open(self) -> None:
        file = self._blobs.fresh_path(self.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    async def write(self, data: bytes) -> None:
        """Add to the blob; returns while the disk and the hashes are still busy with what came before.

        Raises StoreError.
        """
        self.size += len(data)
        self._parts.append(data)
        self._held += len(data)
        if self._held >= _PIECE_BYTES:
            await self._flush()

    async def settle(self) -> None:
        """Wait until the disk and the hashes have all that was written. Raises StoreError."""
        await self._flush()
        await self._settle()

    async def keep(self) -> None:
        """Make the blob durable under its name. Raises StoreError; then it is discarded."""
        try:
            await self.settle()
            await self._synced()
            self._under_way = asyncio.ensure_future(in_thread(self._finish))
            await self._settle()
        except BaseException:
            await self.discard()
            raise

    async def discard(self) -> None:
        """Forget what was written."""
        if self._file >= 0:
            # Nobody must write to the descriptor's number once it is closed.
            await asyncio.gather(self._settle(), self._synced(), return_exceptions=True)
            await in_thread(self._abandon)

    async def _flush(self) -> None:
        piece = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        await self._settle()
        if self._durable and self._unsynced >= _UNSYNCED_BYTES:
            await self._synced()
            self._unsynced = 0
            self._syncing = asyncio.ensure_future(in_thread(partial(os.fdatasync, self._file)))
        if piece:
            self._unsynced += len(piece)
            self._under_way = asyncio.gather(
                in_thread(partial(self._write, piece)),
                *(in_thread(partial(each.update, piece)) for each in self._hashes),
            )

    async def _synced(self) -> None:
        """Wait for the disk to have taken what it was asked to, while more was written. Raises StoreError."""
        syncing, self._syncing = self._syncing, None
        if syncing is not None:
            await syncing

    async def _settle(self) -> None:
        if self._under_way is not None:
            # Threads are not cancelled with who waits for them: who discards the blob still has to.
            await asyncio.shield(self._under_way)
            self._under_way = None

    def _write(self, piece: bytes) -> None:
        if is_short(self._blobs.fresh_path(self.name).parent):
            raise OSError(errno.ENOSPC, "the disk is nearly full")
        view = memoryview(piece)
        while view:
            view = view[os.write(self._file, view) :]

    def _finish(self) -> None:
        if self._durable:
            os.fdatasync(self._file)
        file, self._file = self._file, -1
        os.close(file)
        self._blobs.name(self._blobs.fresh_path(self.name), self.name)

    def _abandon(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
        self._blobs.fresh_path(self.name).unlink(missing_ok=True)


async def in_thread(function: Callable[[], T]) -> T:
    """Run what waits for the disk. Raises StoreError where that fails, MissingBlob where a file is not there."""
    try:
        return await asyncio.get_running_loop().run_in_executor(_executor, function)
    except FileNotFoundError as error:
        raise MissingBlob(str(error)) from error
    except OSError as error:
        raise StoreError(str(error)) from error
