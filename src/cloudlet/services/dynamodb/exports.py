"""Exports of tables to S3: what is kept of one. Developer Guide, "DynamoDB data export to Amazon S3"."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.arn import partition_of
from cloudlet.services.dynamodb.journal import Moment

IN_PROGRESS, COMPLETED, FAILED = "IN_PROGRESS", "COMPLETED", "FAILED"

_EXPORTS = Subspace("export")
_TOKENS = Subspace("export-token")
_RUNNING = Subspace("exporting")


class DataFile(msgspec.Struct, array_like=True, frozen=True):
    """An object that has been written."""

    key: str
    items: int
    md5: str
    etag: str


class Export(msgspec.Struct, array_like=True, frozen=True):
    """What is kept of an export. Times are in seconds since the epoch."""

    account: str
    region: str
    table: str
    table_id: int
    table_uuid: str
    id: str
    started: float
    moment: Moment
    """The state that is exported."""
    since: Moment | None
    """For an incremental export: the state from which on changes are exported."""
    request: dict[str, Any]
    """What ExportTableToPointInTime was called with."""
    time: float
    """The time that is exported."""
    status: str = IN_PROGRESS
    ended: float | None = None
    failure: tuple[str, str] | None = None
    """A code and a message."""
    after: bytes = b""
    """The key of the last item that has been exported."""
    items: int = 0
    size: int = 0
    files: tuple[DataFile, ...] = ()

    @property
    def table_arn(self) -> str:
        return str(Arn(partition_of(self.region), "dynamodb", self.region, self.account, f"table/{self.table}"))

    @property
    def arn(self) -> str:
        return f"{self.table_arn}/export/{self.id}"

    @property
    def key(self) -> bytes:
        return _EXPORTS.key(self.account, self.region, self.table, self.id)

    @property
    def folder(self) -> str:
        """Where in the bucket its objects are."""
        prefix = self.request.get("S3Prefix") or ""
        return f"{prefix.rstrip('/')}/AWSDynamoDB" if prefix else "AWSDynamoDB"

    @property
    def manifest(self) -> str:
        return f"{self.folder}/{self.id}/manifest-summary.json"

    @property
    def view(self) -> str:
        """What an incremental export shows: NEW_IMAGE or NEW_AND_OLD_IMAGES."""
        return (self.request.get("IncrementalExportSpecification") or {}).get("ExportViewType") or "NEW_AND_OLD_IMAGES"


class _Token(msgspec.Struct, array_like=True, frozen=True):
    export: bytes
    request: bytes
    used: float


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder(Export).decode
_decode_token = msgspec.msgpack.Decoder(_Token).decode


def store(tx: Transaction, export: Export) -> None:
    """Write an export's record; the job does those that are in progress."""
    tx.put(export.key, _encode(export))
    if export.status == IN_PROGRESS:
        tx.put(_RUNNING.key(export.key), b"")
    else:
        tx.delete(_RUNNING.key(export.key))


async def running(tx: Transaction) -> list[bytes]:
    """Return the keys of the exports in progress."""
    return [_RUNNING.unpack(key)[0] for key, _ in await tx.range(_RUNNING.begin, _RUNNING.end, limit=10_000)]


async def by_key(tx: Transaction, key: bytes) -> Export | None:
    """Return an export by the key of its record, or None."""
    raw = await tx.get(key)
    return None if raw is None else _decode(raw)


async def find(tx: Transaction, account: str, region: str, table: str, id: str) -> Export | None:
    """Return an export, or None."""
    return await by_key(tx, _EXPORTS.key(account, region, table, id))


async def listed(
    tx: Transaction, account: str, region: str, table: str | None, after: tuple[str, str] | None, count: int
) -> list[Export]:
    """Return up to `count` exports, of a table or all, that come after one (its table and id)."""
    space = _EXPORTS.sub(account, region) if table is None else _EXPORTS.sub(account, region, table)
    begin = space.begin
    if after is not None:
        begin = max(begin, _EXPORTS.key(account, region, *after) + b"\x00")
    rows = await tx.range(begin, space.end, limit=count) if begin < space.end else []
    return [_decode(value) for _, value in rows]


async def of_token(
    tx: Transaction, account: str, region: str, token: str, request: dict[str, Any], since: float
) -> tuple[Export | None, bool]:
    """Return the export that a client token was used for after `since`, and whether for the same request."""
    raw = await tx.get(_TOKENS.key(account, region, token))
    if raw is None:
        return None, True
    used = _decode_token(raw)
    if used.used < since:
        return None, True
    return await by_key(tx, used.export), used.request == _encode(request)


def note_token(tx: Transaction, export: Export, token: str, request: dict[str, Any]) -> None:
    """Remember what a client token was used for."""
    key = _TOKENS.key(export.account, export.region, token)
    tx.put(key, _encode(_Token(export.key, _encode(request), export.started)))


def described(export: Export) -> dict[str, Any]:
    """Return the ExportDescription of an export."""
    request = export.request
    code, message = export.failure or (None, None)
    incremental = export.since is not None
    return {
        "ExportArn": export.arn,
        "ExportStatus": export.status,
        "StartTime": export.started,
        "EndTime": export.ended,
        "ExportManifest": export.manifest if export.status == COMPLETED else None,
        "TableArn": export.table_arn,
        "TableId": export.table_uuid,
        "ExportTime": None if incremental else export.time,
        "ClientToken": request.get("ClientToken"),
        "S3Bucket": request["S3Bucket"],
        "S3BucketOwner": request.get("S3BucketOwner"),
        "S3Prefix": request.get("S3Prefix"),
        "S3SseAlgorithm": request.get("S3SseAlgorithm") or "AES256",
        "S3SseKmsKeyId": request.get("S3SseKmsKeyId"),
        "FailureCode": code,
        "FailureMessage": message,
        "ExportFormat": "DYNAMODB_JSON",
        "BilledSizeBytes": export.size,
        "ItemCount": export.items,
        "ExportType": "INCREMENTAL_EXPORT" if incremental else "FULL_EXPORT",
        "IncrementalExportSpecification": request.get("IncrementalExportSpecification"),
        "FilterSpecification": request.get("FilterSpecification"),
    }
