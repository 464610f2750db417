"""Deletes the schedules of groups that are being deleted, and then the groups.

User guide, "Deleting a schedule group": it is DELETING until all of its schedules are gone.
"""

from __future__ import annotations

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import watching
from cloudlet.services.scheduler import group, schedule, scheduling
from cloudlet.services.scheduler.group import Group

TOPIC = b"going-groups"
_GOING = Subspace("going-group")
_AT_ONCE = 100


def begin(tx: Transaction, gone: Group) -> None:
    """Have a group deleted, with all that it has."""
    tx.put(_GOING.key(gone.account, gone.region, gone.name), b"")
    tx.notify(TOPIC)


async def clear(block: Block) -> None:
    """Delete what groups that are going have, until the block ends."""
    async with watching(block, TOPIC) as changed:
        works = KeyedTasks(block, changed)

        async def listed(tx: Transaction, count: int) -> list[bytes]:
            return [key for key, _ in await tx.range(_GOING.begin, _GOING.end, limit=count)]

        while True:
            changed.clear()
            await works.drain(listed, "deleting the group", _clear_some, at_once=1)
            await changed.wait()


async def _clear_some(tx: Transaction, key: bytes) -> None:
    """Delete some schedules of a group, or the group where it has none any more."""
    account, region, name = _GOING.unpack(key)
    space = schedule.of_account(account, region).sub(name)
    rows = await tx.range(space.begin, space.end, limit=_AT_ONCE)
    for _, raw in rows:
        gone = schedule.decode(raw)
        scheduling.leave(tx, gone)
        schedule.remove(tx, gone)
    if len(rows) < _AT_ONCE:
        found = await group.find(tx, account, region, name)
        if found is not None:
            group.remove(tx, found)
            tags.save(tx, found.arn, {})
        tx.delete(key)
