"""Waiting, in jobs: for a moment of the cloud's clock, or for something that is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

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


@asynccontextmanager
async def notified(block: Block, topic: bytes) -> AsyncIterator[asyncio.Event]:
    """An event that is set by each notification of a topic."""
    event = asyncio.Event()
    end = block.store.watch(topic, event.set)
    try:
        yield event
    finally:
        end()
