"""Which files of a data folder belong to a store that is not in that folder, so that it may delete them.

The rows of a block may be in a PostgreSQL while its large values are in the data folder. A copy of that database (a
backup that was restored, a base backup that was started) has the same rows, and names the same files. So files have a
*mark* in their names, and the database and the folder each have a record of who owns a mark:

- The rows have the marks, the database that they are in, and a *nonce*, which changes every few seconds.
- The folder has, for each mark, a claim: a file with the last two nonces.

A database whose nonce the claim lacks, or that is another one than the rows say, is a copy, or has a copy at work. It
gets a mark of its own for what it writes from now on, and never deletes a file with the mark that it had. Where nothing
tells the copy from the original, both have lost the mark. A folder without the claim is not the one with the files,
nor is a copy of it.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from cloudlet.core.kernel.ids import random_bytes
from cloudlet.store import Store, StoreError, Transaction, pack
from cloudlet.store.blobs import in_thread, mark_in
from cloudlet.store.folders import replace_file

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.core")

_ROW: Final = pack(("file-owner",))
_EARLIER_ROW: Final = pack(("file-mark",))
"""Has the mark alone, from before there were claims."""
_MARK_BYTES: Final = 4
_NONCE_BYTES: Final = 16
_CLAIM: Final = ".claim"
_LOCK: Final = ".claims-lock"
_RENEWED_SECONDS: Final = 10.0
_LEAST_SECONDS: Final = 0.9 * _RENEWED_SECONDS
"""The shortest time between two changes of the nonce."""
_CERTAIN_SECONDS: Final = 3 * _RENEWED_SECONDS
"""A copy that is at work would have been noticed by then."""
_LOCK_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.05


class WrongFolder(StoreError):
    """The files of a store are not in this data folder."""


class Owner(msgspec.Struct, frozen=True):
    """The owner of the files that the rows name."""

    nonce: str
    database: str
    """Where the rows are: see `Store.origin`."""
    place: str
    """The folder and the machine, for people."""
    marks: tuple[str, ...]
    """Of the files that are this store's; what is written now has the first."""
    others: tuple[str, ...] = ()
    """Of files that may be another store's as well."""
    folder: int = 0
    """The folder's number in its file system, which a copy of it has not; 0: not known."""


class Claim(msgspec.Struct, frozen=True):
    """The owner of a mark, as the folder has it."""

    nonces: tuple[str, ...]
    is_disputed: bool = False
    """Whether two stores have taken the mark for their own: then neither deletes anything."""


class FileOwner:
    """The claim of a block's store to its files. Used from one event loop."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._lock = asyncio.Lock()
        self._owner: Owner | None = None
        self._since: float | None = None
        """Since when, by the monotonic clock, this process has seen nobody else claim the marks."""
        self._renewed = -_RENEWED_SECONDS
        self._number = 0

    async def mark(self) -> str:
        """Return what the names of new files end with. Raises StoreError."""
        owner = self._owner or await self.renew()
        return owner.marks[0]

    async def marks(self) -> tuple[str, ...]:
        """Return the marks of this store's own files. Raises StoreError."""
        return (self._owner or await self.renew()).marks

    async def certain(self) -> None:
        """Return once a copy of this store that is at work would have been noticed. Raises StoreError."""
        while True:
            await self.renew()
            left = _CERTAIN_SECONDS - (time.monotonic() - (self._since or time.monotonic()))
            if left <= 0:
                return
            await asyncio.sleep(min(left, _RENEWED_SECONDS))

    async def own(self, names: Iterable[str]) -> list[str]:
        """Return those of some files that this store may delete now. Raises StoreError."""
        owner = await self.renew()
        return [name for name in names if mark_in(name) in owner.marks]

    async def keep(self, _: Block) -> None:
        """Renew the claim, until the block ends."""
        while True:
            await self.renew()
            await asyncio.sleep(_RENEWED_SECONDS)

    async def renew(self) -> Owner:
        """See that nobody else claims the files, and have that written down. Raises StoreError."""
        async with self._lock, self._alone():
            while True:
                before, mark = await self._store.transact(_read)
                owner = await self._next(before, mark)
                if owner == before:
                    break
                if await self._store.transact(partial(_write, before=before, owner=owner)):
                    self._renewed = time.monotonic()
                    break
            if self._owner is None or self._owner.marks != owner.marks:
                self._since = time.monotonic()
            self._owner = owner
            return owner

    async def inherit(self, mark: str) -> None:
        """Note that the rows may name files with a mark, which another store may have, too. Raises StoreError."""
        await self.renew()
        async with self._lock, self._alone():
            before, _ = await self._store.transact(_read)
            if before is not None:
                owner = msgspec.structs.replace(before, others=(*before.others, mark))
                await self._store.transact(partial(_write, before=before, owner=owner))

    async def adopt(self) -> None:
        """Take all files that the rows may name for this store's own, in the folder that there is. Raises StoreError.

        For when no other store needs them any more.
        """
        async with self._lock, self._alone():
            is_written = False
            while not is_written:
                before, earlier = await self._store.transact(_read)
                marks = (earlier or _new_mark(),) if before is None else (*before.marks, *before.others)
                owner = self._owner_of(tuple(dict.fromkeys(marks)))
                await self._claim(owner)
                is_written = await self._store.transact(partial(_write, before=before, owner=owner))

    def _owner_of(self, marks: tuple[str, ...], others: tuple[str, ...] = ()) -> Owner:
        place = f"{self._folder} on {socket.gethostname()}"
        return Owner(random_bytes(_NONCE_BYTES).hex(), self._store.origin, place, marks, others, self._number)

    async def _next(self, before: Owner | None, earlier: str) -> Owner:
        """Return what the rows are to say, once the folder says so too."""
        if before is None:
            if earlier and await self._claim_of(earlier) is None:
                owner = self._owner_of((earlier,))
            else:
                owner = self._owner_of((_new_mark(),), (earlier,) if earlier else ())
            await self._claim(owner)
            return owner
        claims = {mark: await self._claim_of(mark) for mark in before.marks}
        if not any(claims.values()):
            raise self._wrong_folder(before)
        if before.database != self._store.origin:
            return await self._part(before, "these rows were copied from another database")
        if any(claim is None or claim.is_disputed or before.nonce not in claim.nonces for claim in claims.values()):
            if before.folder not in (0, self._number):
                # The claims are older since they are in a copy of the folder.
                raise self._wrong_folder(before)
            for mark, claim in claims.items():
                if claim is not None:
                    await self._put_claim(mark, msgspec.structs.replace(claim, is_disputed=True))
            return await self._part(before, "another copy of this database uses them, or this one is not the latest")
        if time.monotonic() < self._renewed + _LEAST_SECONDS:
            return before
        owner = self._owner_of(before.marks, before.others)
        await self._claim(owner, before.nonce)
        return owner

    def _wrong_folder(self, owner: Owner) -> WrongFolder:
        return WrongFolder(
            f"the files of this store are in {owner.place}, and not in {self._folder}: all processes need the same "
            "--data, which they share. Where the files were moved here, or are lost: cloudlet store adopt"
        )

    async def _part(self, before: Owner, reason: str) -> Owner:
        log.warning(
            "the files in %s are kept, whoever deletes what they belong to: %s. Once this is the only one that needs "
            "them: cloudlet store adopt",
            self._folder,
            reason,
        )
        owner = self._owner_of((_new_mark(),), (*before.marks, *before.others))
        await self._claim(owner)
        return owner

    async def _claim(self, owner: Owner, *nonces: str) -> None:
        for mark in owner.marks:
            await self._put_claim(mark, Claim((*nonces, owner.nonce)))

    # -- the folder

    def _file(self, mark: str) -> Path:
        return self._folder / f"{_CLAIM}{mark}"

    async def _claim_of(self, mark: str) -> Claim | None:
        def read() -> Claim | None:
            try:
                return msgspec.json.decode(self._file(mark).read_bytes(), type=Claim)
            except FileNotFoundError:
                return None

        return await in_thread(read)

    async def _put_claim(self, mark: str, claim: Claim) -> None:
        await in_thread(lambda: replace_file(self._file(mark), msgspec.json.encode(claim)))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Have the claims of the folder for this process alone. Raises StoreError."""

        def opened() -> int:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._number = self._folder.stat().st_ino
            return os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

        file = await in_thread(opened)
        try:
            deadline = time.monotonic() + _LOCK_SECONDS
            while not _locked(file):
                if time.monotonic() > deadline:
                    raise StoreError(f"another process holds {self._folder / _LOCK}")
                await asyncio.sleep(_LOOK_SECONDS)
            yield
        finally:
            os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _new_mark() -> str:
    return f"-{random_bytes(_MARK_BYTES).hex()}"


async def _read(tx: Transaction) -> tuple[Owner | None, str]:
    """Return what the rows say, and the mark that is of an earlier Cloudlet, "" where there is none."""
    row = await tx.get(_ROW)
    earlier = await tx.get(_EARLIER_ROW)
    mark = f"-{earlier.decode()}" if row is None and earlier is not None else ""
    return None if row is None else msgspec.msgpack.decode(row, type=Owner), mark


async def _write(tx: Transaction, *, before: Owner | None, owner: Owner) -> bool:
    """Write down who owns the files, unless another process has done so meanwhile."""
    if (await _read(tx))[0] != before:
        return False
    tx.put(_ROW, msgspec.msgpack.encode(owner))
    return True
