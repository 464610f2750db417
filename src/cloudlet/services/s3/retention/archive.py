"""Archived objects: which storage classes are archives, and what RestoreObject brings back for a while.

S3 user guide, "Restoring an archived object".
"""

from __future__ import annotations

from email.utils import formatdate
from typing import Final

from cloudlet.core import AwsError, Params
from cloudlet.services.s3 import errors
from cloudlet.services.s3.object_data.objects import Restore, Version

ARCHIVES: Final = frozenset(("GLACIER", "DEEP_ARCHIVE"))
_DAY_SECONDS: Final = 24 * 3600
_MOST_DAYS: Final = 1_000_000
"""The year is to have four digits by then."""
_HOURS: Final = {
    ("GLACIER", "Expedited"): 5 / 60,
    ("GLACIER", "Standard"): 5.0,
    ("GLACIER", "Bulk"): 12.0,
    ("DEEP_ARCHIVE", "Standard"): 12.0,
    ("DEEP_ARCHIVE", "Bulk"): 48.0,
}
"""How long it takes at most, by storage class and tier (user guide, "Archive retrieval options")."""


def is_archived(version: Version, now: float) -> bool:
    """Whether a version cannot be read at this time (seconds)."""
    if version.storage_class not in ARCHIVES:
        return False
    restore = version.restore
    return restore is None or not restore.ready <= now * 1000 < restore.expires


def check_readable(version: Version, now: float) -> None:
    """Raise InvalidObjectState for an archived version."""
    if is_archived(version, now):
        raise AwsError(
            "InvalidObjectState",
            "The operation is not valid for the object's storage class",
            status=403,
            StorageClass=version.storage_class,
        )


def restored(version: Version, request: Params, now: float) -> tuple[Restore, bool]:
    """Return what RestoreObject makes of a version, and whether a copy was there already. Raises AwsError."""
    for name in ("SelectParameters", "OutputLocation", "Type", "Description"):
        if name in request:
            raise errors.not_implemented(f"{name} of RestoreObject")
    if version.storage_class not in ARCHIVES:
        raise AwsError(
            "InvalidObjectState",
            "Restore is not allowed for the object's current storage class",
            status=403,
            StorageClass=version.storage_class,
        )
    days = request.get("Days")
    if days is None or days < 1:
        raise errors.malformed_xml()
    if days > _MOST_DAYS:
        raise errors.invalid_argument(f"Days must not be more than {_MOST_DAYS}", "Days", days)
    tier = request.get("Tier") or (request.get("GlacierJobParameters") or {}).get("Tier") or "Standard"
    hours = _HOURS.get((version.storage_class, tier))
    if hours is None:
        raise errors.invalid_argument(f"{tier} retrievals are not available for {version.storage_class}", "Tier", tier)
    before, millis = version.restore, int(now * 1000)
    if before is not None and millis < before.ready:
        raise AwsError("RestoreAlreadyInProgress", "Object restore is already in progress", status=409)
    if before is not None and millis < before.expires:
        return Restore(before.ready, _expiry(now, days), days, before.tier), True
    ready = int((now + hours * 3600) * 1000)
    return Restore(ready, _expiry(ready / 1000, days), days, tier), False


def _expiry(since: float, days: int) -> int:
    """Return midnight UTC after so many days."""
    return int((since // _DAY_SECONDS + days + 1) * _DAY_SECONDS * 1000)


def to_api(restore: Restore, now: float) -> str | None:
    """Return the x-amz-restore header, or None once the copy has gone."""
    millis = now * 1000
    if millis < restore.ready:
        return 'ongoing-request="true"'
    if millis >= restore.expires:
        return None
    return f'ongoing-request="false", expiry-date="{formatdate(restore.expires / 1000, usegmt=True)}"'
