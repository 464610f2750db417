"""Imports from S3: what is kept of one. Developer Guide, "DynamoDB data import from Amazon S3"."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.arn import partition_of

IN_PROGRESS, COMPLETED, CANCELLED, FAILED = "IN_PROGRESS", "COMPLETED", "CANCELLED", "FAILED"

_IMPORTS = Subspace("import")
_TOKENS = Subspace("import-token")
_RUNNING = Subspace("importing")


class Counts(msgspec.Struct, array_like=True, frozen=True):
    """What has been read and stored."""

    size: int = 0
    """Bytes of objects."""
    items: int = 0
    imported: int = 0
    errors: int = 0

    def plus(self, other: Counts) -> Counts:
        return Counts(
            self.size + other.size,
            self.items + other.items,
            self.imported + other.imported,
            self.errors + other.errors,
        )


class Import(msgspec.Struct, array_like=True, frozen=True):
    """What is kept of an import. Times are in seconds since the epoch."""

    account: str
    region: str
    table: str
    table_id: int
    table_uuid: str
    id: str
    started: float
    request: dict[str, Any]
    """What ImportTable was called with."""
    status: str = IN_PROGRESS
    ended: float | None = None
    failure: tuple[str, str] | None = None
    """A code and a message."""
    counts: Counts = Counts()
    """Of the objects that are done."""
    done: str = ""
    """The key of the last object that is done; they are read in the order of their keys."""

    @property
    def table_arn(self) -> str:
        return str(Arn(partition_of(self.region), "dynamodb", self.region, self.account, f"table/{self.table}"))

    @property
    def arn(self) -> str:
        return f"{self.table_arn}/import/{self.id}"

    @property
    def key(self) -> bytes:
        return _IMPORTS.key(self.account, self.region, self.table, self.id)


class _Token(msgspec.Struct, array_like=True, frozen=True):
    imported: bytes
    request: bytes
    used: float


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder(Import).decode
_decode_token = msgspec.msgpack.Decoder(_Token).decode


def store(tx: Transaction, made: Import) -> None:
    """Write an import's record; the job does those that are in progress."""
    tx.put(made.key, _encode(made))
    if made.status == IN_PROGRESS:
        tx.put(_RUNNING.key(made.key), b"")
    else:
        tx.delete(_RUNNING.key(made.key))


async def running(tx: Transaction) -> list[bytes]:
    """Return the keys of the imports in progress."""
    return [_RUNNING.unpack(key)[0] for key, _ in await tx.range(_RUNNING.begin, _RUNNING.end, limit=10_000)]


async def by_key(tx: Transaction, key: bytes) -> Import | None:
    """Return an import by the key of its record, or None."""
    raw = await tx.get(key)
    return None if raw is None else _decode(raw)


async def find(tx: Transaction, account: str, region: str, table: str, id: str) -> Import | None:
    """Return an import, or None."""
    return await by_key(tx, _IMPORTS.key(account, region, table, id))


async def listed(
    tx: Transaction, account: str, region: str, table: str | None, after: bytes | None, count: int
) -> list[Import]:
    """Return up to `count` imports, to a table or all, that come after one (the key of its record)."""
    space = _IMPORTS.sub(account, region) if table is None else _IMPORTS.sub(account, region, table)
    begin = space.begin if after is None else max(space.begin, after + b"\x00")
    rows = await tx.range(begin, space.end, limit=count) if begin < space.end else []
    return [_decode(value) for _, value in rows]


async def of_token(
    tx: Transaction, account: str, region: str, token: str, request: dict[str, Any], since: float
) -> tuple[Import | None, bool]:
    """Return the import that a client token was used for after `since`, and whether for the same request."""
    raw = await tx.get(_TOKENS.key(account, region, token))
    if raw is None:
        return None, True
    used = _decode_token(raw)
    if used.used < since:
        return None, True
    return await by_key(tx, used.imported), used.request == _encode(request)


def note_token(tx: Transaction, made: Import, token: str, request: dict[str, Any]) -> None:
    """Remember what a client token was used for."""
    key = _TOKENS.key(made.account, made.region, token)
    tx.put(key, _encode(_Token(made.key, _encode(request), made.started)))


def described(made: Import) -> dict[str, Any]:
    """Return the ImportTableDescription of an import."""
    request = made.request
    code, message = made.failure or (None, None)
    return {
        "ImportArn": made.arn,
        "ImportStatus": made.status,
        "TableArn": made.table_arn,
        "TableId": made.table_uuid,
        "ClientToken": request.get("ClientToken"),
        "S3BucketSource": request["S3BucketSource"],
        "ErrorCount": made.counts.errors,
        "InputFormat": request["InputFormat"],
        "InputFormatOptions": request.get("InputFormatOptions"),
        "InputCompressionType": request.get("InputCompressionType") or "NONE",
        "TableCreationParameters": request["TableCreationParameters"],
        "StartTime": made.started,
        "EndTime": made.ended,
        "ProcessedSizeBytes": made.counts.size,
        "ProcessedItemCount": made.counts.items,
        "ImportedItemCount": made.counts.imported,
        "FailureCode": code,
        "FailureMessage": message,
    }


def summary(made: Import) -> dict[str, Any]:
    """Return an import as ListImports shows it."""
    names = ("ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "InputFormat", "StartTime", "EndTime")
    shown = described(made)
    return {name: shown[name] for name in names}
