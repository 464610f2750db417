"""What CloudWatch Logs does by itself: it publishes metrics, delivers, runs queries, and removes what is not shown.

What readers see does not depend on when events are removed; disk space does.
"""

from __future__ import annotations

import asyncio
from functools import partial

from cloudlet.core import Transaction
from cloudlet.core.background import jobs
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.logs import arrivals, events, exporting, forwarding, group_record, publishing
from cloudlet.services.logs import group as groups
from cloudlet.services.logs.block import service
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.insights import running

_SWEEP_SECONDS, _PAUSE_SECONDS = 60.0, 1.0
_PAGE = 100


@service.job
async def deliver_and_tidy(block: Block) -> None:
    """Do all of it, until the block ends."""
    await jobs.run_leased_jobs(
        block,
        publish_metrics=publishing.publish,
        forward=forwarding.forward,
        export=exporting.export,
        run_queries=running.run,
        tidy=_tidy,
    )


async def _tidy(block: Block, lease: Lease) -> None:
    """Remove what is not shown any more, now and then."""
    works = KeyedTasks(block)
    while True:
        await lease.hold()
        are_cleared = await _clear_orphans(block, works)
        are_expired = await _expire(block, works)
        await back_off(block, _SWEEP_SECONDS if are_cleared and are_expired else _PAUSE_SECONDS)


async def _clear_orphans(block: Block, works: KeyedTasks) -> bool:
    """Remove some of the events of each stream that is gone; return whether that were all."""
    after: tuple[int, int] | None = None
    is_done = True
    while found := await block.store.transact(lambda tx, after=after: events.orphans(tx, after, _PAGE)):  # type: ignore[misc]
        for orphan in found:
            work = partial(events.clear_orphan, block.store, *orphan, events.STEPS)
            is_done &= await works.attempt(orphan, f"removing the stream {orphan}", work) is not False
        after = found[-1]
    return is_done


async def _expire(block: Block, works: KeyedTasks) -> bool:
    """Remove some of the old events of each log group; return whether that were all."""
    after = b""
    is_done = True
    while True:
        rows = await block.store.transact(lambda tx, after=after: groups.all_after(tx, after, _PAGE))  # type: ignore[misc]
        for key, group in works.decode_rows(rows, "the log group", group_record.decode).items():
            work = partial(_tidy_group, block, group)
            is_done &= await works.attempt(key, f"removing old events of {group.arn}", work) is not False
        if len(rows) < _PAGE:
            return is_done
        after = rows[-1][0]


async def _tidy_group(block: Block, group: Group) -> bool:
    if group.tailed_until:
        await _forget_arrivals(block, group)
    return group.retention is None or await _expire_group(block, group)


async def _expire_group(block: Block, group: Group) -> bool:
    async def some(tx: Transaction) -> bool:
        # It may be gone by now, or keep its events for longer.
        current = await groups.find(tx, group.account, group.region, group.name)
        if current is None or current.id != group.id:
            return False
        return await events.expire(tx, current, current.horizon(block.clock.now()))

    for _ in range(events.STEPS):
        if not await block.store.transact(some):
            return True
        await asyncio.sleep(0)
    return False


async def _forget_arrivals(block: Block, group: Group) -> None:
    async def body(tx: Transaction) -> None:
        current = await groups.find(tx, group.account, group.region, group.name)
        if current is not None and current.id == group.id:
            now = int(block.clock.now() * 1000)
            arrivals.forget(tx, group.id, now - arrivals.KEPT_MILLIS)
            if current.tailed_until < now - 2 * arrivals.KEPT_MILLIS:
                current.tailed_until = 0
                groups.save(tx, current)

    await block.store.transact(body)
