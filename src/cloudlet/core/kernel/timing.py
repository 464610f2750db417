"""Waiting, in jobs: for a moment of the cloud's clock, or for something that is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_SHORTEST_REST_SECONDS: Final = 0.001


async def sleep_until(block: Block, when: float) -> None:
    """Wait for a moment, in seconds since the epoch."""
    await wait_until(block, asyncio.Event(), when)


async def wait_until(block: Block, event: asyncio.Event, when: float) -> None:
    """Wait for an event, but no longer than until a moment."""
    cancel = block.clock.call_at(when, event.set)
    try:
        await event.wait()
    finally:
        cancel()


async def back_off(block: Block, seconds: float, wakes: asyncio.Event | None = None) -> None:
    """Wait between attempts: for so long by the cloud's clock or by the machine's, whichever passes sooner.

    Who moves the clock on does not wait; where it stands, or is set back, nothing rests for ever. `wakes` ends it, too.
    """
    event = wakes or asyncio.Event()
    timer = asyncio.get_running_loop().call_later(seconds, event.set)
    try:
        await wait_until(block, event, block.clock.now() + seconds)
    finally:
        timer.cancel()


@asynccontextmanager
async def duty_cycle(parts: int) -> AsyncIterator[None]:
    """Rest after some work, so that it takes no more than one of so many parts of the time."""
    began = perf_counter()
    yield
    rest = (parts - 1) * (perf_counter() - began)
    if rest > _SHORTEST_REST_SECONDS:
        await asyncio.sleep(rest)


@asynccontextmanager
async def watching(block: Block, topic: bytes) -> AsyncIterator[asyncio.Event]:
    """An event that is set by each notification of a topic."""
    event = asyncio.Event()
    end = block.store.watch(topic, event.set)
    try:
        yield event
    finally:
        end()
