"""Outboxes in lanes: one for each receiver, which are worked off side by side, so that none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.timing import duty_cycle, watching
from cloudlet.store import Subspace, Transaction

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_READ: Final = 100
_SHARE: Final = 4
"""Looking at all lanes after each change takes a quarter of the time at most: where thousands of receivers fail, each
of their attempts is a change."""

L = TypeVar("L")
Waiting = Callable[[Transaction, "L | None", int], Coroutine[Any, Any, list[L]]]
"""Returns up to so many lanes in which something waits, those that follow another one."""


async def list_queues(
    tx: Transaction, space: Subspace, parts: int, after: Sequence[Any] | None, count: int
) -> list[tuple[Any, ...]]:
    """Return the first so many parts of keys of a space, each once: up to `count`, those that follow others.

    By these parts rows belong to a lane.
    """
    found: list[tuple[Any, ...]] = []
    begin = space.begin if after is None else space.sub(*after).end
    while len(found) < count and (rows := await tx.range(begin, space.end, limit=1)):
        found.append(space.unpack(rows[0][0])[:parts])
        begin = space.sub(*found[-1]).end
    return found


async def drain(block: Block, topic: bytes, waiting: Waiting[L], work: Callable[[L], Awaitable[None]]) -> None:
    """Have each lane worked off in which something waits, until the block ends.

    A topic is notified of what is new; `work` returns once nothing waits in its lane.
    """
    async with watching(block, topic) as changed, asyncio.TaskGroup() as group:
        works = KeyedTasks(block, changed)
        while True:
            changed.clear()
            after: L | None = None
            async with duty_cycle(_SHARE):
                while found := await block.store.transact(lambda tx, after=after: waiting(tx, after, _READ)):  # type: ignore[misc]
                    for lane in found:
                        works.start(group, lane, f"working off {lane}", partial(work, lane))
                    after = found[-1]
            await changed.wait()
