"""Changes of keys by time: deletion, automatic rotation, and expiry of imported material."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.aws import service_events
from cloudlet.core.background.jobs import Row, run_leased_jobs, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.services.kms import alias, due, grant, importing, key_state, keys, materials, rotation
from cloudlet.services.kms.key_record import Key
from cloudlet.services.kms.managed_keys import DAY_SECONDS

Change = Callable[[Block, Transaction, Key, int, float], Awaitable[None]]
"""A change of a key that fell due.

It gets the time when that was, in milliseconds, and the time now, in seconds since the epoch.
"""

_CLEARED_ROWS: Final = 100


async def run(block: Block) -> None:
    """Do what falls due, until the block ends."""
    async with asyncio.TaskGroup() as group:
        for kind, change in _CHANGES.items():
            do = partial(_do, block, change)
            group.create_task(run_timers(block, due.get_topic(kind), due.get_space(kind), f"to {kind} the key", do))


async def tell(block: Block) -> None:
    """Tell EventBridge of what has happened, until the block ends."""
    await run_leased_jobs(block, tell=service_events.tell)


async def _do(block: Block, change: Change, tx: Transaction, row: Row, now: float) -> None:
    when, account, region, key_id = row
    key = await keys.find(tx, account, region, key_id)
    if key is not None:
        await change(block, tx, key, when, now)


async def clear(block: Block) -> None:
    """Delete what belonged to deleted keys, until the block ends."""

    async def do(tx: Transaction, row: Row, now: float) -> None:
        _, account, region, key_id = row
        await _clear(tx, account, region, key_id, now)

    await run_timers(block, due.get_topic("clear"), due.get_space("clear"), "to clear the key", do)


async def _delete(block: Block, tx: Transaction, key: Key, when: int, now: float) -> None:
    """Delete a key and all that belongs to it, unless that was cancelled."""
    if key.state != key_state.PENDING_DELETION or key.deletion_date is None or int(key.deletion_date * 1000) != when:
        return
    keys.remove(tx, key)
    for material in key.materials:
        importing.unschedule_expiry(tx, replace(key, materials=()), material)
    due.unschedule(tx, "rotate", None if key.is_replica else key.next_rotation, key.account, key.region, key.name)
    await _leave(tx, key, now)
    await _clear(tx, key.account, key.region, key.name, now)
    _record_event(tx, key, "KMS CMK Deletion", now)


async def _leave(tx: Transaction, key: Key, now: float) -> None:
    """Have related keys forget a replica.

    A primary key that waited for its last one is deleted after its time.
    """
    left = tuple(region for region in key.regions if region != key.region)
    for each in await keys.list_related(tx, key):
        changed = replace(each, regions=left)
        if changed.state == key_state.PENDING_REPLICA_DELETION and len(left) == 1:
            when = now + changed.deletion_window * DAY_SECONDS
            changed = replace(changed, state=key_state.PENDING_DELETION, deletion_date=when)
            due.schedule(tx, "delete", when, changed.account, changed.region, changed.name)
        keys.save(tx, await importing.settle_replicas(tx, changed) if changed.is_imported else changed)


async def _clear(tx: Transaction, account: str, region: str, key_id: str, now: float) -> None:
    """Delete some aliases and grants of a deleted key; others follow."""
    names = await alias.list_names(tx, account, region, key_id, _CLEARED_ROWS)
    for name in names:
        found = await alias.find(tx, account, region, name)
        if found is not None:
            await alias.remove(tx, found)
    space = grant.get_space_by_id(account, region, key_id)
    rows = await tx.range(space.begin, space.end, limit=_CLEARED_ROWS)
    for _, raw in rows:
        grant.remove(tx, grant.decode(raw))
    if len(names) == _CLEARED_ROWS or len(rows) == _CLEARED_ROWS:
        due.schedule(tx, "clear", now, account, region, key_id)


async def _rotate(block: Block, tx: Transaction, key: Key, when: int, now: float) -> None:
    """Rotate a key that is enabled; another one is rotated once it is enabled again."""
    if key.next_rotation is None or int(key.next_rotation * 1000) != when or key.state != key_state.ENABLED:
        return
    following = key.next_rotation + key.rotation_days * DAY_SECONDS
    due.schedule(tx, "rotate", following, key.account, key.region, key.name)
    new = materials.make(block, key.arn, key.spec)
    await rotation.rotate(block, tx, replace(key, next_rotation=following), new, rotation.AUTOMATIC, now)
    _record_event(tx, key, "KMS CMK Rotation", now)


async def _expire(block: Block, tx: Transaction, key: Key, when: int, now: float) -> None:
    """Delete the imported material that has expired."""
    changed, expired = importing.expire(key, when)
    if expired:
        keys.save(tx, changed)
        _record_event(tx, key, "KMS Imported Key Material Expiration", now)


def _record_event(tx: Transaction, key: Key, kind: str, now: float) -> None:
    """Have EventBridge told of a key (developer guide, "Monitor keys with Amazon EventBridge")."""
    entry: dict[str, Any] = {
        "Source": "aws.kms",
        "DetailType": kind,
        "Detail": f'{{"key-id":"{key.name}"}}',
        "Resources": [key.arn],
        "Time": now,
    }
    service_events.add(tx, key.account, key.region, entry)


_CHANGES: Final[Mapping[due.Kind, Change]] = {"delete": _delete, "expire": _expire, "rotate": _rotate}
