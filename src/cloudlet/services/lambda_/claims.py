"""Who refers to which code, and the removal of code that nobody refers to any more.

A version of a function, or of a layer, claims the blobs that it runs from. Whoever gives up the last claim to one
makes it garbage in the same transaction; it outlives that by the time that an invocation may take.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from cloudlet.core import Subspace, Transaction
from cloudlet.core.block import Block
from cloudlet.core.jobs import Works
from cloudlet.core.moments import first, notified, rest
from cloudlet.services.lambda_ import unpacking

_CLAIMS = Subspace("claim")
_GARBAGE = Subspace("garbage")
_TOPIC = b"garbage"
_PAGE = 100
_GRACE_SECONDS = 1000.0
"""Longer than an invocation: what runs yet reads its code."""
_SWEEP_SECONDS = 3600.0
_ORPHANED_SECONDS = 24 * 3600.0


async def change(tx: Transaction, user: str, before: Iterable[str], after: Iterable[str], now: float) -> None:
    """Note that `user`, an ARN, refers to other blobs than before."""
    old, new = set(before), set(after)
    for code in new - old:
        tx.put(_CLAIMS.key(code, user), b"")
    for code in old - new:
        tx.delete(_CLAIMS.key(code, user))
        if not await is_claimed(tx, code):
            tx.put(_GARBAGE.key(now, code), b"")
            tx.notify(_TOPIC)


async def is_claimed(tx: Transaction, code: str) -> bool:
    """Whether anybody refers to a blob."""
    space = _CLAIMS.sub(code)
    return bool(await tx.range(space.begin, space.end, limit=1))


async def collect(block: Block) -> None:
    """Remove code that is garbage, as it comes up."""
    async with notified(block, _TOPIC) as changed:
        works = Works(block, changed)
        while True:
            changed.clear()
            due = await _remove_due(block, works)
            if due is None:
                await changed.wait()
            else:
                await first(block, changed, due)


async def _remove_due(block: Block, works: Works) -> float | None:
    """Remove what has been garbage for long enough; return when there is more to do, None where there is nothing."""
    while True:
        count = _PAGE + len(works)

        async def page(tx: Transaction, count: int = count) -> list[bytes]:
            return [key for key, _ in await tx.range(_GARBAGE.begin, _GARBAGE.end, limit=count)]

        listed = await block.store.transact(page)
        rows = [key for key in listed if key not in works]
        before = block.clock.now() - _GRACE_SECONDS
        due = [key for key in rows if _GARBAGE.unpack(key)[0] <= before]
        if not due:
            return float(_GARBAGE.unpack(rows[0])[0]) + _GRACE_SECONDS if rows else None
        await works.together(due, "removing the code", partial(_remove, block))


async def _remove(block: Block, keys: list[bytes]) -> None:
    async def unclaimed(tx: Transaction) -> list[str]:
        # What a layer has given up, a function that was created meanwhile may have claimed.
        return [code for code in codes if not await is_claimed(tx, code)]

    codes = [_GARBAGE.unpack(key)[1] for key in keys]
    gone = await block.store.transact(unclaimed)
    await block.blobs.remove(gone)
    for code in gone:
        await unpacking.remove(block, code)

    async def forget(tx: Transaction) -> None:
        for key in keys:
            tx.delete(key)

    await block.store.transact(forget)


async def sweep(block: Block) -> None:
    """Remove the files that a crash has left without a claim, now and then."""
    await unpacking.forget_earlier_boots(block)
    works = Works(block)
    while True:
        await block.blobs.remove_unfinished(_ORPHANED_SECONDS)
        async for names in block.blobs.names(_ORPHANED_SECONDS):
            await works.together(names, "removing the file", partial(_remove_orphans, block))
        for code in await _orphans(block, await unpacking.present(block)):
            await unpacking.remove(block, code)
        await rest(block, _SWEEP_SECONDS)


async def _remove_orphans(block: Block, names: list[str]) -> None:
    await block.blobs.remove(await _orphans(block, names))


async def _orphans(block: Block, names: list[str]) -> list[str]:
    async def unknown(tx: Transaction) -> list[str]:
        garbage = {_GARBAGE.unpack(key)[1] for key, _ in await tx.range(_GARBAGE.begin, _GARBAGE.end, limit=10_000)}
        return [name for name in names if name not in garbage and not await is_claimed(tx, name)]

    return await block.store.transact(unknown)
