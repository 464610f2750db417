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
                for records, transfer in ((exports.records, exporting.make), (imports.records, importing.make)):
                    for key in await block.store.transact(records.running):
                        # Of several processes one does it: two would both write files.
                        await lease.hold()
                        await transfer(block, key, lease)
                await changed.wait()
    finally:
        await lease.release()
