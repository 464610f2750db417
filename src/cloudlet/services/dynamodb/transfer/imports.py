"""Imports from S3: what is kept of one. Developer Guide, "DynamoDB data import from Amazon S3"."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.dynamodb.transfer.transfer_records import IN_PROGRESS, Caller, Transfer, TransferRecords

CANCELLED = "CANCELLED"


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


class Import(Transfer, array_like=True, frozen=True):
    """What is kept of an import. Times are in seconds since the epoch."""

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
    caller: Caller | None = None
    """None for one that an older Cloudlet has begun."""

    @property
    def arn(self) -> str:
        return f"{self.table_arn}/import/{self.id}"


_MOST = 50
"""That an account has in progress (API reference, LimitExceededException)."""

records = TransferRecords("import", Import, _MOST)


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
