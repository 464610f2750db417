"""Files that nobody refers to any more, and their removal.

Each file that a row refers to has a row of its own here. Whoever forgets a file turns that row into one of garbage, in
the same transaction. A file that has neither was written for a transaction that never came: it is found by going
through the files, since a file that is young may yet be referred to.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from cloudlet.core import Subspace, Transaction
from cloudlet.core.block import Block
from cloudlet.core.jobs import Works
from cloudlet.core.moments import notified, rest, until

_FILES = Subspace("file")
_GARBAGE = Subspace("garbage")
_TOPIC = b"garbage"
_PAGE = 200
_GRACE_SECONDS = 10.0
"""How long a file outlives the last reference: whoever has read that a moment ago opens the file yet."""
_SWEEP_SECONDS = 3600.0
_ORPHANED_SECONDS = 24 * 3600.0
"""An upload that takes longer than this is not finished: clients, and the server, give up long before."""


def claim(tx: Transaction, blobs: Iterable[str]) -> None:
    """Note that files are referred to."""
    for blob in blobs:
        tx.put(_FILES.key(blob), b"")


def release(tx: Transaction, blobs: Iterable[str], now: int) -> None:
    """Note that files are referred to no longer, at `now` in milliseconds since the epoch."""
    for blob in blobs:
        tx.delete(_FILES.key(blob))
        tx.put(_GARBAGE.key(now, blob), b"")
        tx.notify(_TOPIC)


async def collect(block: Block) -> None:
    """Remove the files that are garbage, as it comes up."""
    async with notified(block, _TOPIC) as changed:
        works = Works(block, changed)
        while True:
            changed.clear()
            due = await _remove_due(block, works)
            if due is None:
                await changed.wait()
                due = block.clock.now() + _GRACE_SECONDS
            await until(block, due)


async def _remove_due(block: Block, works: Works) -> float | None:
    """Remove what has been garbage for long enough; return when there is more to do, None where there is nothing."""
    while True:
        count = _PAGE + len(works)

        async def page(tx: Transaction, count: int = count) -> list[bytes]:
            return [key for key, _ in await tx.range(_GARBAGE.begin, _GARBAGE.end, limit=count)]

        listed = await block.store.transact(page)
        rows = [key for key in listed if key not in works]
        before = (block.clock.now() - _GRACE_SECONDS) * 1000
        due = [key for key in rows if _GARBAGE.unpack(key)[0] <= before]
        if not due:
            return _GARBAGE.unpack(rows[0])[0] / 1000 + _GRACE_SECONDS if rows else None
        await works.together(due, "removing the file", partial(_remove, block))


async def _remove(block: Block, keys: list[bytes]) -> None:
    await block.blobs.remove([_GARBAGE.unpack(key)[1] for key in keys])

    async def forget(tx: Transaction) -> None:
        for key in keys:
            tx.delete(key)

    await block.store.transact(forget)


async def sweep(block: Block) -> None:
    """Remove the files that a crash has left without a reference, now and then."""
    works = Works(block)
    while True:
        await block.blobs.remove_unfinished(_ORPHANED_SECONDS)
        async for names in block.blobs.names(_ORPHANED_SECONDS):
            await works.together(names, "removing the file", partial(_remove_orphans, block))
        await rest(block, _SWEEP_SECONDS)


async def _remove_orphans(block: Block, names: list[str]) -> None:
    async def unknown(tx: Transaction) -> list[str]:
        return [name for name in names if await tx.get(_FILES.key(name)) is None]

    await block.blobs.remove(await block.store.transact(unknown))
