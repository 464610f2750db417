"""Items that have expired are deleted, soon after.

A table's time to live begins with the items that are there being indexed; from then on each write keeps the index
(`ttl`). All of it is in the store and goes on after a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel import timing
from cloudlet.core.kernel.block import Block
from cloudlet.services.dynamodb import changes, measuring
from cloudlet.services.dynamodb.item_data import items
from cloudlet.services.dynamodb.requests import rows, writing
from cloudlet.services.dynamodb.tables import directory, table_keys, ttl
from cloudlet.services.dynamodb.tables.table import Table

_PAUSE_SECONDS = 1.0
_PAGE = 100
_AT_ONCE = 25
_STEPS = 16
"""Transactions for a table before others have their turn: one of millions of items does not hold up all others."""
_SHARE = 100
"""Looking at tables where nothing is due takes no more than one hundredth of the time."""


async def expire_items(block: Block) -> None:
    """Delete what has expired, in all tables, until the block ends."""
    async with timing.watching(block, ttl.TOPIC) as changed:
        works = KeyedTasks(block)
        while True:
            changed.clear()
            seen = await _look_round(block, works)
            if seen.is_more:
                continue
            if seen.some:
                pause = max(_PAUSE_SECONDS, _SHARE * seen.idle_seconds)
                await timing.back_off(block, pause, changed)
            else:
                await changed.wait()


class _Seen(NamedTuple):
    """What a look at all tables has shown."""

    some: bool
    """Whether there are any with a time to live."""
    is_more: bool
    """Whether something is left to do."""
    idle_seconds: float
    """How long it took to look at those where nothing was to be done."""


async def _look_round(block: Block, works: KeyedTasks) -> _Seen:
    """Let each table have a turn."""
    clock = asyncio.get_running_loop().time
    after, some, is_more, idle = 0, False, False, 0.0
    while True:

        async def page(tx: Transaction, after: int = after) -> list[int]:
            return await ttl.tables(tx, after, _PAGE)

        ids = await block.store.transact(page)
        for table_id in ids:
            some = True
            began = clock()
            number = 0
            for step in (_index, _expire):
                what = f"{step.__name__.strip('_')} of items of the table {table_id}"
                done = await works.attempt((step, table_id), what, partial(_turn, block, table_id, step))
                if done is not None:
                    number += done.number
                    is_more = is_more or done.is_more
            if not number:
                idle += clock() - began
            await asyncio.sleep(0)
        if len(ids) < _PAGE:
            return _Seen(some, is_more, idle)
        after = ids[-1]


class _Done(NamedTuple):
    """How many items something was done with, and whether there may be more."""

    number: int
    is_more: bool


async def _turn(block: Block, table_id: int, step: Callable[[Block, int], Awaitable[_Done]]) -> _Done:
    """Do some of what there is to do for a table."""
    number = 0
    for _ in range(_STEPS):
        done = await step(block, table_id)
        number += done.number
        if not done.is_more:
            return _Done(number, False)
        await asyncio.sleep(0)
    return _Done(number, True)


async def _index(block: Block, table_id: int) -> _Done:
    """Index some of the items that were there before the table had a time to live."""

    async def step(tx: Transaction) -> _Done:
        table = await directory.by_id(tx, table_id)
        if table is None or table.features.ttl is None:
            ttl.forget(tx, table_id)
            return _Done(0, False)
        after = await ttl.unindexed(tx, table_id)
        if after is None:
            return _Done(0, False)
        begin = table.items_prefix + after + b"\x00" if after else table.items.begin
        tx = table_keys.unlock_for_block(block, tx, table)
        found, is_more = await rows.some(tx, begin, table.items.end, _PAGE)
        start = len(table.items_prefix)
        for key, raw in found:
            ttl.index(tx, table, key[start:], None, items.item_of(raw), block.clock.now())
        ttl.note_indexed(tx, table_id, found[-1][0][start:] if is_more else None)
        return _Done(len(found), is_more)

    return await table_keys.transact(block, step)


async def _expire(block: Block, table_id: int) -> _Done:
    """Delete some of the items that have expired."""

    async def step(tx: Transaction) -> tuple[Table | None, _Done, int]:
        """Return the table, what was due, and how many items of that were deleted."""
        table = await directory.by_id(tx, table_id)
        if table is None or table.features.ttl is None:
            return None, _Done(0, False), 0
        now = block.clock.now()
        found = await ttl.due(tx, table, now, _AT_ONCE)
        deleted = size = 0
        tx = table_keys.unlock_for_block(block, tx, table)
        for number, (second, key) in enumerate(found):
            if size >= rows.BYTES:
                return table, _Done(number, True), deleted
            raw = await tx.get(table.items_prefix + key)
            if raw is not None and ttl.expiry(item := items.item_of(raw), table.features.ttl) == second:
                await writing.replace(tx, table, key, raw, None, now, old_item=item, identity=changes.TIME_TO_LIVE)
                deleted += 1
                size += len(raw) * (1 + len(table.live_indexes))
            else:
                ttl.drop(tx, table, second, key)
        return table, _Done(len(found), len(found) == _AT_ONCE), deleted

    table, done, deleted = await table_keys.transact(block, step)
    if table is not None:
        measuring.expired(block, table, deleted)
    return done
