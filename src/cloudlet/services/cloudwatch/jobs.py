"""What CloudWatch does by itself: it folds fresh cells into chunks, and forgets what is too old.

What queries answer does not depend on when this runs; disk space and their speed do.
"""

from __future__ import annotations

import asyncio

from cloudlet.core import Transaction
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.core.moments import until
from cloudlet.services.cloudwatch import directory, storage
from cloudlet.services.cloudwatch.block import service

_AT_ONCE = 200


@service.job
async def fold_and_forget(block: Block) -> None:
    """Keep the data in order: of several processes on one store, one does so at a time."""
    lease = Lease(block)
    day = -1
    try:
        while True:
            await lease.hold()
            now = block.clock.now()
            await fold(block, lease)
            while not await block.store.transact(lambda tx, now=now: storage.forget(tx, now)):  # type: ignore[misc]
                await asyncio.sleep(0)
            if now // storage.DAY != day:
                await _forget_metrics(block, now)
                day = int(now // storage.DAY)
            await until(block, (now // storage.FOLD_SECONDS + 1) * storage.FOLD_SECONDS + 1)
    finally:
        await lease.release()


async def fold(block: Block, lease: Lease) -> None:
    """Fold all cells that are due."""
    while keys := await block.store.transact(lambda tx: storage.due(tx, block.clock.now(), _AT_ONCE)):
        for key in keys:
            await lease.hold()

            async def some(tx: Transaction, key: bytes = key) -> bool:
                return await storage.fold(tx, key, block.clock.now())

            while not await block.store.transact(some):
                await asyncio.sleep(0)
            await asyncio.sleep(0)


async def _forget_metrics(block: Block, now: float) -> None:
    after: bytes | None = b""
    while after is not None:

        async def some(tx: Transaction, after: bytes = after) -> bytes | None:
            return await directory.forget(tx, after, _AT_ONCE, now)

        after = await block.store.transact(some)
        await asyncio.sleep(0)
