"""On-demand backups: what is kept of one, and its items.

A backup has the table as it was when CreateBackup was called, and outlives it. Developer Guide, "On-demand backup and
restore for DynamoDB".
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.dynamodb.requests.rows import list_records
from cloudlet.services.dynamodb.tables.table import table_arn
from cloudlet.services.dynamodb.tables.table_record import TableRecord
from cloudlet.store import pack

CREATING, AVAILABLE, DELETED = "CREATING", "AVAILABLE", "DELETED"

_BACKUPS = Subspace("backup")
_CONTENTS = Subspace("backup-of")
_IDS = pack(("backup-ids",))


class Backup(msgspec.Struct, array_like=True, frozen=True):
    """What is kept of a backup. `created` is in seconds since the epoch."""

    number: int
    """Where its items are."""
    id: str
    name: str
    created: float
    table: TableRecord
    """The table as it was."""
    status: str = CREATING
    items: int = 0
    size: int = 0
    """The bytes that its items count for."""

    @property
    def arn(self) -> str:
        record = self.table
        resource = f"table/{record.name}/backup/{self.id}"
        return str(Arn(partition_of(record.region), "dynamodb", record.region, record.account, resource))

    @property
    def key(self) -> bytes:
        return _BACKUPS.key(self.table.account, self.table.region, self.table.name, self.id)

    @property
    def contents(self) -> Subspace:
        """Key of an item below its table → the stored item."""
        return _CONTENTS.sub(self.number)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Backup).decode


def new_id(now: float) -> str:
    """Return an id as those of backups, exports and imports are: the time in milliseconds, and a random part."""
    return f"{int(now * 1000):014d}-{random_bytes(4).hex()}"


async def create(tx: Transaction, name: str, table: TableRecord, items: int, size: int, now: float) -> Backup:
    """Write down a backup of a table that is to be made."""
    tx.add(_IDS, 1)
    backup = Backup(await tx.counter(_IDS), new_id(now), name, now, table, items=items, size=size)
    store(tx, backup)
    return backup


def store(tx: Transaction, backup: Backup) -> None:
    """Write a backup's record."""
    tx.put(backup.key, _encode(backup))


def remove(tx: Transaction, backup: Backup) -> None:
    """Delete a backup."""
    tx.delete(backup.key)
    tx.delete_range(backup.contents.begin, backup.contents.end)


def parse_arn(text: str) -> tuple[str, str, str, str]:
    """Return the account, region, table and id of a backup's ARN. Raises ValueError for anything else."""
    arn = Arn.parse(text)
    kind, _, rest = arn.resource.partition("/")
    table, _, tail = rest.partition("/")
    backup, _, id = tail.partition("/")
    if arn.service != "dynamodb" or kind != "table" or backup != "backup" or not table or not id:
        raise ValueError(f"not the ARN of a backup: {text!r}")
    return arn.account, arn.region, table, id


async def find(tx: Transaction, account: str, region: str, table: str, id: str) -> Backup | None:
    """Return a backup, or None."""
    return await by_key(tx, _BACKUPS.key(account, region, table, id))


async def by_key(tx: Transaction, key: bytes) -> Backup | None:
    """Return a backup by the key of its record, or None."""
    raw = await tx.get(key)
    return None if raw is None else _decode(raw)


async def listed(
    tx: Transaction, account: str, region: str, table: str | None, after: tuple[str, str] | None, count: int
) -> list[Backup]:
    """Return up to `count` backups, of a table or all, that come after one (its table and id)."""
    key = None if after is None else _BACKUPS.key(account, region, *after)
    return list(map(_decode, await list_records(tx, _BACKUPS, account, region, table, key, count)))


def details(backup: Backup) -> dict[str, Any]:
    """Return the BackupDetails of a backup."""
    return {
        "BackupArn": backup.arn,
        "BackupName": backup.name,
        "BackupSizeBytes": backup.size,
        "BackupStatus": backup.status,
        "BackupType": "USER",
        "BackupCreationDateTime": backup.created,
    }


def summary(backup: Backup) -> dict[str, Any]:
    """Return a backup as ListBackups shows it."""
    record = backup.table
    return {
        "TableName": record.name,
        "TableId": record.uuid,
        "TableArn": table_arn(record.account, record.region, record.name),
        **details(backup),
    }
