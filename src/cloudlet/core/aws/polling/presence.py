"""Which processes have a poller at work: what polls is at rest only once none has.

A process is told of here before it polls, and until it has finished. One that is gone is known by its machine; one on
another machine that says nothing for a minute is taken to be gone.
"""

from __future__ import annotations

import asyncio

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off, watching

_AT_WORK = Subspace("at-work")
"""Poller, process → nothing."""
_PATIENCE_SECONDS = 60.0
_PROCESSES = 1000


def register(tx: Transaction, poller: str, lease: Lease) -> None:
    """Note that this process, whose lease it is, has a poller at work."""
    tx.put(_AT_WORK.key(poller, lease.owner), b"")


def unregister(tx: Transaction, poller: str, lease: Lease) -> None:
    """Note that it has no more."""
    tx.delete(_AT_WORK.key(poller, lease.owner))


async def wait_for_others(block: Block, poller: str, lease: Lease, topic: bytes) -> None:
    """Return once no other process has a poller at work; a topic is notified when one has finished."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _PATIENCE_SECONDS
    async with watching(block, topic) as changed:
        while await block.store.transact(lambda tx: _others(tx, poller, lease, is_over=loop.time() >= end)):
            await back_off(block, max(0.0, end - loop.time()), changed)
            changed.clear()


async def _others(tx: Transaction, poller: str, lease: Lease, *, is_over: bool) -> bool:
    """Whether other processes have a poller at work; those that are gone are forgotten, or all where time is over."""
    space = _AT_WORK.sub(poller)
    found = False
    for key, _ in await tx.range(space.begin, space.end, limit=_PROCESSES):
        (owner,) = space.unpack(key)
        if owner != lease.owner:
            if is_over or lease.has_owner_ended(owner):
                tx.delete(key)
            else:
                found = True
    return found
