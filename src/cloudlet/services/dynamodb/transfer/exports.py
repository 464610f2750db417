"""Exports of tables to S3: what is kept of one. Developer Guide, "DynamoDB data export to Amazon S3"."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.dynamodb.backup.timeline import Version
from cloudlet.services.dynamodb.transfer.transfer_records import (
    COMPLETED,
    IN_PROGRESS,
    Caller,
    Transfer,
    TransferRecords,
)

ION = "ION"

_FILES = Subspace("export-file")


class DataFile(msgspec.Struct, array_like=True, frozen=True):
    """An object that has been written."""

    key: str
    items: int
    md5: str
    etag: str


class Export(Transfer, array_like=True, frozen=True):
    """What is kept of an export. Times are in seconds since the epoch."""

    moment: Version
    """The state that is exported."""
    since: Version | None
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
    is_read: bool = False
    """Whether all items are in files that are written."""
    caller: Caller | None = None
    """None for one that an older Cloudlet has begun."""

    @property
    def arn(self) -> str:
        return f"{self.table_arn}/export/{self.id}"

    @property
    def folder(self) -> str:
        """Where in the bucket its objects are."""
        prefix = self.request.get("S3Prefix") or ""
        return f"{prefix.rstrip('/')}/AWSDynamoDB" if prefix else "AWSDynamoDB"

    @property
    def files(self) -> Subspace:
        """While it is made: how many items were exported before → the file that was written then."""
        return _FILES.sub(self.account, self.region, self.table, self.id)

    @property
    def manifest(self) -> str:
        return f"{self.folder}/{self.id}/manifest-summary.json"

    @property
    def format(self) -> str:
        """DYNAMODB_JSON or ION."""
        return self.request.get("ExportFormat") or "DYNAMODB_JSON"

    @property
    def view(self) -> str:
        """What an incremental export shows: NEW_IMAGE or NEW_AND_OLD_IMAGES."""
        return (self.request.get("IncrementalExportSpecification") or {}).get("ExportViewType") or "NEW_AND_OLD_IMAGES"


_MOST = 300
"""That an account has in progress (Developer Guide, "Quotas in Amazon DynamoDB")."""

records = TransferRecords("export", Export, _MOST)
_encode_file = msgspec.msgpack.Encoder().encode
_decode_file = msgspec.msgpack.Decoder(DataFile).decode


def add_file(tx: Transaction, export: Export, file: DataFile) -> None:
    """Write down a file of an export, beside its record: there may be many."""
    tx.put(export.files.key(export.items), _encode_file(file))


async def files_after(tx: Transaction, export: Export, after: bytes, count: int) -> tuple[list[DataFile], bytes | None]:
    """Return up to `count` files of an export behind the key `after`, and the last one's key; None at the end."""
    rows = await tx.range(max(export.files.begin, after + b"\x00"), export.files.end, limit=count)
    return [_decode_file(raw) for _, raw in rows], rows[-1][0] if len(rows) == count else None


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
        "ExportFormat": export.format,
        "BilledSizeBytes": export.size,
        "ItemCount": export.items,
        "ExportType": "INCREMENTAL_EXPORT" if incremental else "FULL_EXPORT",
        "IncrementalExportSpecification": request.get("IncrementalExportSpecification"),
        "FilterSpecification": request.get("FilterSpecification"),
    }
