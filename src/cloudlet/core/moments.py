"""Waiting, in jobs: for a moment of the cloud's clock, or for something that is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from cloudlet.store import Transaction

if TYPE_CHECKING:
    from cloudlet.core.block import Block


async def until(block: Block, when: float) -> None:
    """Wait for a moment, in seconds since the epoch."""
    await first(block, asyncio.Event(), when)


async def first(block: Block, event: asyncio.Event, when: float) -> None:
    """Wait for an event, but no longer than until a moment."""
    cancel = block.clock.call_at(when, event.set)
    try:
        await event.wait()
    finally:
        cancel()


Due = Callable[[Transaction, float], Coroutine[Any, Any, "float | None"]]
"""Does some of what is due by a moment, and returns when there is more to do, if ever: in seconds since the epoch."""


async def as_due(block: Block, topic: bytes, do: Due) -> None:
    """Do what falls due, for ever. A topic is notified of what may be due earlier than all else."""
    async with notified(block, topic) as changed:
        while True:
            changed.clear()
            following = await block.store.transact(lambda tx: do(tx, block.clock.now()))
            if following is None:
                await changed.wait()
            else:
                await first(block, changed, following)


@asynccontextmanager
async def notified(block: Block, topic: bytes) -> AsyncIterator[asyncio.Event]:
    """An event that is set by each notification of a topic."""
    event = asyncio.Event()
    end = block.store.watch(topic, event.set)
    try:
        yield event
    finally:
        end()
