"""Exports and imports are made, one after the other; after a restart those go on that were under way."""

from __future__ import annotations

from cloudlet.core import moments
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.services.dynamodb import exporting, exports, importing, imports

TOPIC = b"transfers"
"""Notified when an export or an import is asked for."""


async def make(block: Block) -> None:
    """Make all exports and imports that are asked for, until the block ends."""
    lease = Lease(block)
    try:
        async with moments.notified(block, TOPIC) as changed:
            while True:
                changed.clear()
                running = await block.store.transact(exports.running), await block.store.transact(imports.running)
                for keys, transfer in zip(running, (exporting.make, importing.make), strict=True):
                    for key in keys:
                        # Of several processes one does it: two would both write files.
                        await lease.hold()
                        await transfer(block, key, lease)
                await changed.wait()
    finally:
        await lease.release()
