"""Keeps the data in order: folds fresh cells into chunks, and forgets what is too old.

What queries answer does not depend on when this runs; disk space and their speed do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cloudlet.core import Transaction
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.core.moments import until
from cloudlet.services.cloudwatch import directory, history, storage

_AT_ONCE = 200


async def keep_in_order(block: Block, lease: Lease) -> None:
    """Fold and forget for ever, what is due each minute."""
    day = -1
    while True:
        await lease.hold()
        now = block.clock.now()
        await _fold(block, lease)
        await _all(block, storage.forget, now)
        await _all(block, history.forget, now)
        if now // storage.DAY != day:
            await _forget_metrics(block, now)
            day = int(now // storage.DAY)
        await until(block, (now // storage.SOON_SECONDS + 1) * storage.SOON_SECONDS)


async def _all(block: Block, some: Callable[[Transaction, float], Awaitable[bool]], now: float) -> None:
    """Do something, a bit in each transaction, until it says that all is done."""

    async def body(tx: Transaction) -> bool:
        return await some(tx, now)

    while not await block.store.transact(body):
        await asyncio.sleep(0)


async def _fold(block: Block, lease: Lease) -> None:
    while keys := await block.store.transact(lambda tx: storage.due(tx, block.clock.now(), _AT_ONCE)):
        for key in keys:
            await lease.hold()
            # Where it went on before: what was removed there takes time to pass over.
            after: bytes | None = b""
            while after is not None:

                async def some(tx: Transaction, key: bytes = key, after: bytes = after) -> bytes | None:
                    return await storage.fold(tx, key, after, block.clock.now())

                after = await block.store.transact(some)
                await asyncio.sleep(0)


async def _forget_metrics(block: Block, now: float) -> None:
    after: bytes | None = b""
    while after is not None:

        async def some(tx: Transaction, after: bytes = after) -> bytes | None:
            return await directory.forget(tx, after, _AT_ONCE, now)

        after = await block.store.transact(some)
        await asyncio.sleep(0)
