"""Items that have expired are deleted, soon after.

A table's time to live begins with the items that are there being indexed; from then on each write keeps the index
(`ttl`). All of it is in the store and goes on after a restart.
"""

from __future__ import annotations

import asyncio

from cloudlet.core import Transaction, moments
from cloudlet.core.block import Block
from cloudlet.services.dynamodb import changes, directory, items, measuring, ttl, writing
from cloudlet.services.dynamodb.table import Table

_PAUSE_SECONDS = 1.0
_PAGE = 100
_AT_ONCE = 25
_SHARE = 20
"""Looking at tables takes no more than one twentieth of the time."""


async def expire_items(block: Block) -> None:
    """Delete what has expired, in all tables, until the block ends."""
    async with moments.notified(block, ttl.TOPIC) as changed:
        while True:
            changed.clear()
            began = asyncio.get_running_loop().time()
            after, some = 0, False
            while True:

                async def page(tx: Transaction, after: int = after) -> list[int]:
                    return await ttl.tables(tx, after, _PAGE)

                ids = await block.store.transact(page)
                for table_id in ids:
                    some = True
                    await _index(block, table_id)
                    await _expire(block, table_id)
                    await asyncio.sleep(0)
                if len(ids) < _PAGE:
                    break
                after = ids[-1]
            if some:
                pause = max(_PAUSE_SECONDS, _SHARE * (asyncio.get_running_loop().time() - began))
                await moments.first(block, changed, block.clock.now() + pause)
            else:
                await changed.wait()


async def _index(block: Block, table_id: int) -> None:
    """Index the items that were there before the table had a time to live."""

    async def step(tx: Transaction) -> bool:
        table = await directory.by_id(tx, table_id)
        if table is None or table.features.ttl is None:
            ttl.forget(tx, table_id)
            return False
        after = await ttl.unindexed(tx, table_id)
        if after is None:
            return False
        begin = table.items_prefix + after + b"\x00" if after else table.items.begin
        rows = await tx.range(begin, table.items.end, limit=_PAGE)
        start = len(table.items_prefix)
        for key, raw in rows:
            ttl.index(tx, table, key[start:], None, items.item_of(raw), block.clock.now())
        more = len(rows) == _PAGE
        ttl.note_indexed(tx, table_id, rows[-1][0][start:] if more else None)
        return more

    while await block.store.transact(step):
        await asyncio.sleep(0)


async def _expire(block: Block, table_id: int) -> None:
    async def step(tx: Transaction) -> tuple[Table | None, int, bool]:
        """Return the table, how many items were deleted, and whether there may be more."""
        table = await directory.by_id(tx, table_id)
        if table is None or table.features.ttl is None:
            return None, 0, False
        now = block.clock.now()
        found = await ttl.due(tx, table, now, _AT_ONCE)
        deleted = 0
        for second, key in found:
            raw = await tx.get(table.items_prefix + key)
            if raw is not None and ttl.expiry(item := items.item_of(raw), table.features.ttl) == second:
                await writing.replace(tx, table, key, raw, None, now, old_item=item, identity=changes.TIME_TO_LIVE)
                deleted += 1
            else:
                ttl.drop(tx, table, second, key)
        return table, deleted, len(found) == _AT_ONCE

    while True:
        table, deleted, is_more = await block.store.transact(step)
        if table is not None:
            measuring.expired(block, table, deleted)
        if not is_more:
            return
        await asyncio.sleep(0)
