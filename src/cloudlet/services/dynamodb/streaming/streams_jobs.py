"""What is older than 24 hours leaves the streams. Nothing but disk space depends on when."""

from __future__ import annotations

import asyncio
from functools import partial

from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.dynamodb.streaming import streams

_SWEEP_SECONDS = 600.0
_PAGE = 100


async def trim(block: Block) -> None:
    """Trim all streams, now and then."""
    works = KeyedTasks(block)
    while True:
        after = b""
        while keys := await block.store.transact(lambda tx, after=after: streams.all_after(tx, after, _PAGE)):  # type: ignore[misc]
            for key in keys:
                await works.attempt(key, f"trimming the stream {key!r}", partial(_trim, block, key))
                await asyncio.sleep(0)
            after = keys[-1]
        await back_off(block, _SWEEP_SECONDS)


async def _trim(block: Block, key: bytes) -> None:
    await block.store.transact(lambda tx: streams.trim(tx, key, block.clock.now()))
