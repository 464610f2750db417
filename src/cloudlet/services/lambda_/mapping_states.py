"""From Creating to Enabled, from Deleting to gone: the states of event source mappings."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Transaction, tags
from cloudlet.core.block import Block
from cloudlet.core.moments import notified
from cloudlet.services.lambda_ import mapping

_AT_ONCE = 50


async def run(block: Block) -> None:
    """Have mappings become what they are to be, until the block ends."""
    async with notified(block, mapping.TOPIC) as changed:
        while True:
            changed.clear()
            if not await block.store.transact(_settle):
                await changed.wait()


async def _settle(tx: Transaction) -> int:
    """Settle some mappings; return how many."""
    found = await mapping.changing(tx, _AT_ONCE)
    for each in found:
        if each.state == "Deleting":
            mapping.remove(tx, each)
            tags.save(tx, each.arn, {})
        else:
            mapping.save(tx, replace(each, state="Enabled" if each.is_enabled else "Disabled"))
    return len(found)
