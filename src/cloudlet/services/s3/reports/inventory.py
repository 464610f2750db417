"""Inventory configurations: what may be stored, and when a report is due.

User guide, "Amazon S3 Inventory". A report is written when its configuration is stored, and then after each midnight
(UTC), or after that which begins a Sunday.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket_record import Bucket

KIND = "Inventory"
TOPIC = b"inventory"

_DAY = 86_400
_SUNDAY = 3
"""1 January 1970 was a Thursday: the fourth day was a Sunday."""
_NOT_THERE = ("IntelligentTieringReferenceDate", "ObjectLockEventHoldDuration", "ObjectLockEventHoldStatus")


async def check(tx: Transaction, bucket: Bucket, configuration: Mapping[str, Any]) -> None:
    """Raise AwsError for a configuration whose reports could not be written."""
    destination = configuration["Destination"]["S3BucketDestination"]
    try:
        arn = Arn.parse(destination["Bucket"])
    except ValueError:
        raise _invalid_destination("Invalid bucket ARN.") from None
    if arn.service != "s3":
        raise _invalid_destination("Invalid bucket ARN.")
    if arn.account or arn.region:
        raise _invalid_destination("Bucket ARN should not specify a namespace.")
    if destination["Format"] == "ORC":
        raise errors.not_implemented("inventories in the format ORC")
    if "SSEKMS" in (destination.get("Encryption") or {}):
        raise errors.not_implemented("inventories that are encrypted with SSE-KMS")
    for field in configuration.get("OptionalFields") or ():
        if field in _NOT_THERE:
            raise errors.not_implemented(f"the inventory field {field}")


def _invalid_destination(message: str) -> AwsError:
    return AwsError("InvalidS3DestinationBucket", message, status=400)


def changed(tx: Transaction) -> None:
    """Let reports that are due be written at once."""
    tx.notify(TOPIC)


def _done(bucket: Bucket, id: str) -> bytes:
    """Return the key of the day for which the last report was written."""
    return bucket.configurations.key(f"{KIND}-done", id)


async def due(tx: Transaction, bucket: Bucket, id: str, configuration: Mapping[str, Any], now: float) -> bool:
    """Whether a report is due."""
    if not configuration["IsEnabled"]:
        return False
    raw = await tx.get(_done(bucket, id))
    today = int(now // _DAY)
    period = today if configuration["Schedule"]["Frequency"] == "Daily" else today - (today - _SUNDAY) % 7
    return raw is None or int(raw) < period


def note_done(tx: Transaction, bucket: Bucket, id: str, now: float) -> None:
    """Write down that the report for the day of `now` is written, or cannot be."""
    tx.put(_done(bucket, id), b"%d" % (now // _DAY))
