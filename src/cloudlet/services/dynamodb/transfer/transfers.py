"""Exports and imports are made, some at a time; after a restart those go on that were under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.keyed_queues import drain
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.services.dynamodb.transfer import exporting, exports, importing, imports

TOPIC = b"transfers"
"""Notified when an export or an import is asked for."""
_AT_ONCE = 4
"""Of these an account has half, so that a small one does not wait for large ones that somebody else has asked for."""

_Transfer = Callable[[Block, bytes, Lease], Awaitable[None]]


async def make(block: Block) -> None:
    """Make all exports and imports that are asked for, until the block ends."""
    places = FairSemaphore(_AT_ONCE, _AT_ONCE // 2)
    exported, imported = exports.records, imports.records

    async with Lease(block) as lease, asyncio.TaskGroup() as group:

        async def one(transfer: _Transfer, account: Callable[[bytes], str], key: bytes) -> None:
            async with places.hold(account(key)):
                # Of several processes one does it: two would both write files.
                await lease.hold()
                await transfer(block, key, lease)

        for running, account, transfer in (
            (exported.running, exported.account_of, exporting.make),
            (imported.running, imported.account_of, importing.make),
        ):
            group.create_task(drain(block, TOPIC, running, partial(one, transfer, account)))
