"""What is kept for some time only: it is deleted after that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from cloudlet.core.moments import until
from cloudlet.store import Subspace, Transaction

if TYPE_CHECKING:
    from cloudlet.core.block import Block

Delete = Callable[[Transaction, bytes], Coroutine[Any, Any, None]]


async def sweep(
    block: Block, times: Subspace, kept_seconds: float, delete: Delete, *, every: float = 3600.0, at_once: int = 200
) -> None:
    """Delete what is older than so many seconds, now and then, until the block ends.

    `times` has a row for each, whose key begins with when it came to be, in whole seconds; `delete` gets that key, and
    deletes what it is of. `every` is in seconds; so many as `at_once` are deleted in one transaction.
    """
    while True:
        oldest = int(block.clock.now() - kept_seconds)

        async def some(tx: Transaction, oldest: int = oldest) -> int:
            rows = await tx.range(times.begin, times.key(oldest), limit=at_once)
            for key, _ in rows:
                await delete(tx, key)
                tx.delete(key)
            return len(rows)

        if await block.store.transact(some) < at_once:
            await until(block, block.clock.now() + every)
        else:
            await asyncio.sleep(0)
