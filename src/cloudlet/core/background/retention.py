"""What is kept for some time only: it is deleted after that."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.timing import back_off
from cloudlet.store import Subspace, Transaction

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

Delete = Callable[[Transaction, bytes], Coroutine[Any, Any, None]]


async def delete_expired(
    block: Block, times: Subspace, kept_seconds: float, delete: Delete, *, every: float = 3600.0, at_once: int = 200
) -> None:
    """Delete what is older than so many seconds, now and then, until the block ends.

    `times` has a row for each, whose key begins with when it came to be, in whole seconds; `delete` gets that key, and
    deletes what it is of, if that is still there. `every` is in seconds; so many as `at_once` are deleted in one
    transaction.
    """
    works = KeyedTasks(block)

    async def listed(tx: Transaction, count: int) -> list[bytes]:
        oldest = int(block.clock.now() - kept_seconds)
        return [key for key, _ in await tx.range(times.begin, times.key(oldest), limit=count)]

    async def one(tx: Transaction, key: bytes) -> None:
        await delete(tx, key)
        tx.delete(key)

    while True:
        await works.drain(listed, "deleting what is old:", one, at_once=at_once)
        await back_off(block, every)
