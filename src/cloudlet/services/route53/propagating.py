"""Tells of changes that they are answered: whatever was in memory before them is forgotten by then."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import watching
from cloudlet.services.route53.block import NAMES_TOPIC, REGION
from cloudlet.services.route53.name_cache import CACHES
from cloudlet.services.route53.zones import CHANGES, PENDING

_BATCH: Final = 100


async def propagate(block: Block) -> None:
    """Have changes INSYNC once they are, for ever."""
    async with watching(block, NAMES_TOPIC) as changed:
        while True:
            changed.clear()
            CACHES.get(block).forget()
            while await block.store.transact(_mark):
                pass
            await changed.wait()


async def _mark(tx: Transaction) -> bool:
    """Mark changes that are pending; return whether there may be more."""
    rows = await tx.range(PENDING.begin, PENDING.end, limit=_BATCH)
    for row, _ in rows:
        account, name = PENDING.unpack(row)
        change = await CHANGES.find(tx, account, REGION, name)
        if change is not None:
            CHANGES.save(tx, replace(change, is_in_sync=True))
        tx.delete(row)
    return len(rows) == _BATCH
