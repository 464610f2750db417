"""Files that nobody refers to any more, and their removal.

Each file that a row refers to has a row of its own here. Whoever forgets a file turns that row into one of garbage, in
the same transaction. A file that has neither was written for a transaction that never came: it is found by going
through the files, since a file that is young may yet be referred to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from cloudlet.core import Subspace, Transaction
from cloudlet.core.block import Block
from cloudlet.core.moments import until

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
    changed = asyncio.Event()
    end_watch = block.store.watch(_TOPIC, changed.set)
    try:
        while True:
            changed.clear()
            due = await _remove_due(block)
            if due is None:
                await changed.wait()
                due = block.clock.now() + _GRACE_SECONDS
            await until(block, due)
    finally:
        end_watch()


async def _remove_due(block: Block) -> float | None:
    """Remove what has been garbage for long enough; return when there is more to do, None where there is nothing."""
    while True:

        async def page(tx: Transaction) -> list[bytes]:
            return [key for key, _ in await tx.range(_GARBAGE.begin, _GARBAGE.end, limit=_PAGE)]

        rows = [(key, *_GARBAGE.unpack(key)) for key in await block.store.transact(page)]
        before = (block.clock.now() - _GRACE_SECONDS) * 1000
        due = [(key, blob) for key, when, blob in rows if when <= before]
        if not due:
            return rows[0][1] / 1000 + _GRACE_SECONDS if rows else None
        await block.blobs.remove([blob for _, blob in due])

        async def forget(tx: Transaction, keys: list[bytes] = [key for key, _ in due]) -> None:  # noqa: B006
            for key in keys:
                tx.delete(key)

        await block.store.transact(forget)


async def sweep(block: Block) -> None:
    """Remove the files that a crash has left without a reference, now and then."""
    while True:
        await block.blobs.remove_unfinished(_ORPHANED_SECONDS)
        async for names in block.blobs.names(_ORPHANED_SECONDS):
            await _remove_orphans(block, names)
        await until(block, block.clock.now() + _SWEEP_SECONDS)


async def _remove_orphans(block: Block, names: list[str]) -> None:
    async def unknown(tx: Transaction) -> list[str]:
        return [name for name in names if await tx.get(_FILES.key(name)) is None]

    await block.blobs.remove(await block.store.transact(unknown))
