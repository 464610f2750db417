"""Blobs that nobody refers to any more, and are to be removed.

Whoever gives up the last reference to a blob makes it garbage, in the same transaction. It outlives that for a while:
whoever has read of it a moment ago reads the blob yet; and where the rows are in a PostgreSQL, a backup of those, or a
standby that lags behind, refers to it. A blob without a reference that is no garbage was written for a transaction that
never came: it is found by going through the blobs, since a young one may yet be referred to, and becomes garbage then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.timing import back_off, watching
from cloudlet.store import Subspace, Transaction

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_GARBAGE: Final = Subspace("garbage")
_FOUND: Final = Subspace("garbage-found")
"""Orphans that a sweep has made garbage, each once."""
_TOPIC: Final = b"garbage"
_PAGE: Final = 200
_SWEEP_SECONDS: Final = 3600.0
_ORPHANED_SECONDS: Final = 24 * 3600.0
"""What takes longer than this to be written is not finished: clients, and the server, give up long before."""

Time = int | float


async def remove_blobs(block: Block, names: Sequence[str]) -> None:
    """Remove blobs, but none that another store may refer to. Raises StoreError."""
    owner = block.file_owner
    await block.blobs.remove(names if owner is None else await owner.own(names))


async def list_old_blobs(block: Block) -> AsyncIterator[list[str]]:
    """Yield the blobs that are so old that nobody who is writing them can yet refer to them, some at a time."""
    async for names in block.blobs.names(_ORPHANED_SECONDS):
        yield names


class GarbageCollector:
    """The garbage of a block, each piece by its name."""

    def __init__(
        self,
        is_claimed: Callable[[Transaction, str], Awaitable[bool]],
        grace_seconds: float,
        *,
        in_milliseconds: bool = False,
        remove: Callable[[Block, Sequence[str]], Awaitable[None]] = remove_blobs,
        present: Callable[[Block], AsyncIterator[list[str]]] = list_old_blobs,
    ) -> None:
        """Say whether something is referred to, how long it outlives that, how it is removed, and what there is.

        Times are kept in milliseconds, which are whole numbers, or in seconds, which are not.
        """
        self._is_claimed = is_claimed
        self._grace_seconds = grace_seconds
        self._in_milliseconds = in_milliseconds
        self._remove_all = remove
        self._present = present

    def add(self, tx: Transaction, name: str, now: Time) -> None:
        """Note that something is referred to no longer, at `now` since the epoch."""
        tx.put(_GARBAGE.key(now, name), b"")
        tx.notify(_TOPIC)

    async def collect(self, block: Block) -> None:
        """Remove what is garbage, as it comes up, until the block ends."""
        async with watching(block, _TOPIC) as changed:
            works = KeyedTasks(block, changed)
            while True:
                changed.clear()
                if block.file_owner is not None:
                    await block.file_owner.certain()
                seconds = await self._remove_due(block, works)
                if seconds is None:
                    await changed.wait()
                else:
                    # Not until there is more: that comes with each deletion, and is due later.
                    await back_off(block, seconds)

    async def _remove_due(self, block: Block, works: KeyedTasks) -> float | None:
        """Remove what has been garbage for long enough; return in how many seconds there is more to do, None: never."""
        while True:
            count = _PAGE + len(works)

            async def page(tx: Transaction, count: int = count) -> list[bytes]:
                return [key for key, _ in await tx.range(_GARBAGE.begin, _GARBAGE.end, limit=count)]

            rows = [key for key in await block.store.transact(page) if key not in works]
            oldest = self._oldest_kept(block)
            due = [key for key in rows if _GARBAGE.unpack(key)[0] <= oldest]
            if not due:
                if not rows:
                    return None
                left = float(_GARBAGE.unpack(rows[0])[0] - oldest)
                return left / 1000 if self._in_milliseconds else left
            await works.run_batch(due, "removing what nobody refers to:", partial(self._remove, block))

    def _oldest_kept(self, block: Block) -> Time:
        """Return since when what is to be removed now has been garbage."""
        kept = self._grace_seconds
        if block.file_owner is not None:
            kept = max(kept, block.cloud.config.files_kept_seconds)
        return self._time(block.clock.now() - kept)

    def _time(self, seconds: float) -> Time:
        return int(seconds * 1000) if self._in_milliseconds else seconds

    async def _remove(self, block: Block, keys: list[bytes]) -> None:
        async def unclaimed(tx: Transaction) -> list[str]:
            # What one has given up, another may refer to since.
            names = [_GARBAGE.unpack(key)[1] for key in keys]
            return [name for name in names if not await self._is_claimed(tx, name)]

        await self._remove_all(block, await block.store.transact(unclaimed))

        async def forget(tx: Transaction) -> None:
            for key in keys:
                tx.delete(key)
                tx.delete(_FOUND.key(_GARBAGE.unpack(key)[1]))

        await block.store.transact(forget)

    async def sweep(self, block: Block) -> None:
        """Find what a crash has left without a reference, now and then, until the block ends."""
        works = KeyedTasks(block)
        while True:
            await block.blobs.remove_unfinished(_ORPHANED_SECONDS)
            async for names in self._present(block):
                await works.run_batch(names, "looking for references to", partial(self._note_orphans, block))
            await back_off(block, _SWEEP_SECONDS)

    async def _note_orphans(self, block: Block, names: list[str]) -> None:
        """Make garbage what nobody refers to. What is garbage already is so twice, which does no harm."""
        now = self._time(block.clock.now())

        async def note(tx: Transaction) -> None:
            for name in names:
                found = _FOUND.key(name)
                if not await self._is_claimed(tx, name) and await tx.get(found) is None:
                    tx.put(found, b"")
                    self.add(tx, name, now)

        await block.store.transact(note)
