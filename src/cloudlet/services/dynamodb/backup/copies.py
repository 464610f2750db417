"""Copies under way: a backup that is made, a table that is restored; both go on after a restart.

A copy is written down when it is asked for, with how far it has come; a job does it, some items a transaction. While a
table is being copied from, its `features.copies` says so: its journal is kept, and it is not deleted.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.keyed_queues import drain
from cloudlet.core.kernel.block import Block
from cloudlet.services.dynamodb.backup import backups, journal, snapshot, timeline
from cloudlet.services.dynamodb.backup.backups import Backup
from cloudlet.services.dynamodb.backup.timeline import Version
from cloudlet.services.dynamodb.errors import limit_exceeded
from cloudlet.services.dynamodb.item_data import items
from cloudlet.services.dynamodb.requests import rows, writing
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.services.dynamodb.tables.table_record import ACTIVE
from cloudlet.store import pack

log = logging.getLogger("cloudlet.dynamodb")

_TOPIC = b"copies"
_COPIES = Subspace("copy")
_IDS = pack(("copy-ids",))
_USES = Subspace("copy-of-backup")
"""The key of a backup's record, and the number of a copy."""
_UNDER_WAY = Subspace("copies-under-way")
"""How many there are, by account, and whether they restore."""
_ITEMS = 50
_AT_ONCE = 4
_MOST_RESTORES, _MOST_BACKUPS = 50, 500
"""That an account has under way (API reference, RestoreTableFromBackup, LimitExceededException)."""


class Copy(msgspec.Struct, array_like=True, frozen=True):
    """What is copied. Of table and backup, one is copied from and the other to; or both are tables."""

    source: int | None
    """The id of the table to copy from, as it was at `moment`."""
    moment: Version
    backup: bytes | None
    """The key of the backup's record, if one is made or restored."""
    target: int | None
    """The id of the table to copy to."""
    after: bytes = b""
    """The key of the last item that has been copied."""
    items: int = 0
    size: int = 0
    account: str = ""
    """Whose it is; empty for what an older Cloudlet has begun."""

    @property
    def restores(self) -> bool:
        return self.target is not None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Copy).decode


async def start(tx: Transaction, copy: Copy) -> None:
    """Write down a copy that is to be made. Raises AwsError where its account has too many under way."""
    under_way = _UNDER_WAY.key(copy.account, copy.restores)
    if await tx.counter(under_way) >= (_MOST_RESTORES if copy.restores else _MOST_BACKUPS):
        what = "restores" if copy.restores else "backups"
        raise limit_exceeded(f"Too many {what} are under way in the account {copy.account}")
    tx.add(under_way, 1)
    tx.add(_IDS, 1)
    number = await tx.counter(_IDS)
    tx.put(_COPIES.key(number), _encode(copy))
    if copy.backup is not None:
        tx.put(_USES.key(copy.backup, number), b"")
    tx.notify(_TOPIC)


def _end(tx: Transaction, key: bytes, copy: Copy) -> None:
    tx.delete(key)
    if copy.backup is not None:
        tx.delete(_USES.key(copy.backup, _COPIES.unpack(key)[0]))
    if copy.account:
        tx.add(_UNDER_WAY.key(copy.account, copy.restores), -1)


async def is_used(tx: Transaction, backup: bytes) -> bool:
    """Whether a backup (the key of its record) is being made or restored."""
    uses = _USES.sub(backup)
    return bool(await tx.range(uses.begin, uses.end, limit=1))


# -- the table that is copied from


async def hold(tx: Transaction, table: Table, time: float, now: float) -> Version:
    """Let former states of a table be kept from now on; return the moment of a time up to `now`."""
    features = msgspec.structs.replace(table.features, copies=table.features.copies + 1)
    directory.store(tx, msgspec.structs.replace(table.record, features=features))
    if time == now:
        # The clock may stand: what is written later at this time is no part of it.
        return await timeline.begin(tx, table, now)
    return await timeline.moment(tx, table, time, now)


def release(tx: Transaction, table: Table) -> None:
    """Undo `hold`; the journal is forgotten where nobody else needs it."""
    features = msgspec.structs.replace(table.features, copies=max(0, table.features.copies - 1))
    released = directory.store(tx, msgspec.structs.replace(table.record, features=features))
    if not released.features.journals:
        journal.clear(tx, released)


# -- doing it


async def make(block: Block) -> None:
    """Make all copies that are asked for, until the block ends."""
    await drain(block, _TOPIC, _waiting, partial(_make, block, FairSemaphore(_AT_ONCE, _AT_ONCE // 2)))


async def _waiting(tx: Transaction, after: bytes | None, count: int) -> list[bytes]:
    begin = _COPIES.begin if after is None else after + b"\x00"
    return [key for key, _ in await tx.range(begin, _COPIES.end, limit=count)]


async def _make(block: Block, places: FairSemaphore, key: bytes) -> None:
    async def account(tx: Transaction) -> str:
        raw = await tx.get(key)
        return "" if raw is None else _decode(raw).account

    async def body(tx: Transaction) -> bool:
        return await _step(block, tx, key)

    async with places.hold(await block.store.transact(account)):
        while await table_keys.transact(block, body):
            await asyncio.sleep(0)


async def _step(block: Block, tx: Transaction, key: bytes) -> bool:
    """Copy some items; return whether there may be more."""
    raw = await tx.get(key)
    if raw is None:
        return False
    copy = _decode(raw)
    if copy.target is None:
        following = await _to_backup(block, tx, copy)
    elif copy.source is None:
        following = await _from_backup(block, tx, copy)
    else:
        following = await _to_table(block, tx, copy)
    if following is None:
        _end(tx, key, copy)
        return False
    tx.put(key, _encode(following))
    return True


async def _to_backup(block: Block, tx: Transaction, copy: Copy) -> Copy | None:
    """Copy some items to a backup; return how far it has come, or None at its end."""
    table = None if copy.source is None else await directory.by_id(tx, copy.source)
    backup = None if copy.backup is None else await backups.by_key(tx, copy.backup)
    if table is None or backup is None:
        log.error("a backup cannot be made: its table is gone")
        if backup is not None:
            backups.remove(tx, backup)
        return None
    tx = _unlock_backup(block, table_keys.unlock_for_block(block, tx, table), backup)
    page = await snapshot.read(tx, table, copy.moment, copy.after, _ITEMS)
    count, size = copy.items, copy.size
    for place, stored in page.found:
        count, size = count + 1, size + items.size_of(stored)
        tx.put(backup.contents.key(place), stored)
    if page.following is not None:
        return msgspec.structs.replace(copy, after=page.following, items=count, size=size)
    backups.store(tx, msgspec.structs.replace(backup, status=backups.AVAILABLE, items=count, size=size))
    release(tx, table)
    return None


async def _from_backup(block: Block, tx: Transaction, copy: Copy) -> Copy | None:
    backup = None if copy.backup is None else await backups.by_key(tx, copy.backup)
    target = None if copy.target is None else await directory.by_id(tx, copy.target)
    if backup is None or target is None:
        log.error("a table cannot be restored: it or its backup is gone")
        if target is not None:
            directory.remove(tx, target)
        return None
    tx = _unlock_backup(block, table_keys.unlock_for_block(block, tx, target), backup)
    space = backup.contents
    begin = space.key(copy.after) + b"\x00" if copy.after else space.begin
    found, is_more = await rows.some(tx, begin, space.end, _ITEMS)
    for place, stored in found:
        await _restore(tx, target, space.unpack(place)[0], stored, block.clock.now())
    if is_more:
        return msgspec.structs.replace(copy, after=space.unpack(found[-1][0])[0])
    activate(tx, target)
    return None


async def _to_table(block: Block, tx: Transaction, copy: Copy) -> Copy | None:
    source = None if copy.source is None else await directory.by_id(tx, copy.source)
    target = None if copy.target is None else await directory.by_id(tx, copy.target)
    if source is None or target is None:
        log.error("a table cannot be restored: it or its source is gone")
        if source is not None:
            release(tx, source)
        if target is not None:
            directory.remove(tx, target)
        return None
    tx = table_keys.unlock_for_block(block, table_keys.unlock_for_block(block, tx, source), target)
    page = await snapshot.read(tx, source, copy.moment, copy.after, _ITEMS)
    for place, stored in page.found:
        await _restore(tx, target, place, stored, block.clock.now())
    if page.following is not None:
        return msgspec.structs.replace(copy, after=page.following)
    release(tx, source)
    activate(tx, target)
    return None


def _unlock_backup(block: Block, tx: Transaction, backup: Backup) -> Transaction:
    """Return the transaction through which a backup is written and read. Raises Prerequisite."""
    table = backup.table
    if table.sealing is None:
        return tx
    own = table_keys.make_context(block, table)
    return table_keys.unlock_below(own, tx, table.sealing, table, (backup.contents.prefix,))


async def _restore(tx: Transaction, table: Table, key: bytes, stored: bytes, now: float) -> None:
    old = await tx.get(table.items_prefix + key)
    await writing.replace(tx, table, key, old, stored, now)


def activate(tx: Transaction, table: Table) -> None:
    """Let a table be used: all its items are there."""
    summary = table.record.restored_from
    restored = None if summary is None else {**summary, "RestoreInProgress": False}
    directory.store(tx, msgspec.structs.replace(table.record, status=ACTIVE, restored_from=restored))
