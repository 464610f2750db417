"""What is older than 24 hours leaves the streams. Nothing but disk space depends on when."""

from __future__ import annotations

import asyncio

from cloudlet.core import Transaction
from cloudlet.core.block import Block
from cloudlet.core.moments import until
from cloudlet.services.dynamodb import streams

_SWEEP_SECONDS = 600.0
_PAGE = 100


async def trim(block: Block) -> None:
    """Trim all streams, now and then."""
    while True:
        after = b""
        while True:

            async def page(tx: Transaction, after: bytes = after) -> list[bytes]:
                return [key for key, _ in await streams.all_after(tx, after, _PAGE)]

            keys = await block.store.transact(page)
            for key in keys:

                async def one(tx: Transaction, key: bytes = key) -> None:
                    await streams.trim(tx, key, block.clock.now())

                await block.store.transact(one)
                await asyncio.sleep(0)
            if len(keys) < _PAGE:
                break
            after = keys[-1]
        await until(block, block.clock.now() + _SWEEP_SECONDS)
