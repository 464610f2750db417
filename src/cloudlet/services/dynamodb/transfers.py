"""Exports and imports are made, some at a time; after a restart those go on that were under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from cloudlet.core import moments
from cloudlet.core.block import Block
from cloudlet.core.jobs import Works
from cloudlet.core.lease import Lease
from cloudlet.services.dynamodb import exporting, exports, importing, imports

TOPIC = b"transfers"
"""Notified when an export or an import is asked for."""
_AT_ONCE = 4
"""So a small one does not wait for a large one that somebody else has asked for."""

_Transfer = Callable[[Block, bytes, Lease], Awaitable[None]]


async def make(block: Block) -> None:
    """Make all exports and imports that are asked for, until the block ends."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(transfer: _Transfer, key: bytes, lease: Lease) -> None:
        async with turn:
            # Of several processes one does it: two would both write files.
            await lease.hold()
            await transfer(block, key, lease)

    async with Lease(block) as lease, moments.notified(block, TOPIC) as changed, asyncio.TaskGroup() as group:
        works = Works(block, changed)
        while True:
            changed.clear()
            for records, transfer in ((exports.records, exporting.make), (imports.records, importing.make)):
                for key in await block.store.transact(records.running):
                    works.start(group, key, f"the transfer {key!r}", partial(one, transfer, key, lease))
            await changed.wait()
