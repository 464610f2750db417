"""Who refers to which code.

A version of a function, or of a layer, claims the blobs that it runs from. Whoever gives up the last claim to one
makes it garbage in the same transaction; it outlives that by the time that an invocation may take.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.garbage import GarbageCollector, list_old_blobs, remove_blobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_.code import unpacking

_CLAIMS = Subspace("claim")
_GRACE_SECONDS = 1000.0
"""Longer than an invocation: what runs yet reads its code."""


async def change(tx: Transaction, user: str, before: Iterable[str], after: Iterable[str], now: float) -> None:
    """Note that `user`, an ARN, refers to other blobs than before."""
    old, new = set(before), set(after)
    for code in new - old:
        tx.put(_CLAIMS.key(code, user), b"")
    for code in old - new:
        tx.delete(_CLAIMS.key(code, user))
        if not await is_claimed(tx, code):
            _GARBAGE.add(tx, code, now)


async def is_claimed(tx: Transaction, code: str) -> bool:
    """Whether anybody refers to a blob."""
    space = _CLAIMS.sub(code)
    return bool(await tx.range(space.begin, space.end, limit=1))


async def _remove(block: Block, codes: Sequence[str]) -> None:
    await remove_blobs(block, codes)
    for code in codes:
        await unpacking.remove(block, code)


async def _present(block: Block) -> AsyncIterator[list[str]]:
    async for codes in list_old_blobs(block):
        yield codes
    yield await unpacking.present(block)


_GARBAGE = GarbageCollector(is_claimed, _GRACE_SECONDS, remove=_remove, present=_present)


async def collect(block: Block) -> None:
    """Remove code that is garbage, as it comes up."""
    await _GARBAGE.collect(block)


async def sweep(block: Block) -> None:
    """Remove what a crash has left without a claim, now and then."""
    await unpacking.forget_earlier_boots(block)
    await _GARBAGE.sweep(block)
