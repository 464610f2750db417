"""Object Lock: retention and legal holds, and what they forbid.

S3 user guide, "Locking objects with Object Lock".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import configuration
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data.objects import Lock, Version
from cloudlet.services.s3.permissions import access
from cloudlet.wire.timestamps import iso8601

KIND: Final = "object-lock"
"""The kind of the bucket's configuration."""
GOVERNANCE: Final = "GOVERNANCE"
COMPLIANCE: Final = "COMPLIANCE"
_HEADERS: Final = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")
_EVENT_HOLDS: Final = ("ObjectLockEventHold", "ObjectLockEventHoldDurationDays", "ObjectLockEventHoldDurationYears")
_ASKING: Final = frozenset((*_HEADERS, *_EVENT_HOLDS))
_DAY_MILLIS: Final = 24 * 3600 * 1000
_LONGEST: Final = {"Days": 36500, "Years": 100}


def refuse_token(params: Params) -> None:
    """Raise AwsError for a token, with which AWS's support enables Object Lock on existing buckets."""
    if "Token" in params:
        raise errors.not_implemented("tokens for Object Lock")


def is_asked(params: Params) -> bool:
    """Whether a request to write an object asks for a lock."""
    return not params.keys().isdisjoint(_HEADERS)


async def of_new_object(ctx: Context, tx: Transaction, bucket: Bucket, params: Params, key: str) -> Lock | None:
    """Return the lock of an object that is being written: the request's, or else the bucket's default."""
    if not bucket.locks and params.keys().isdisjoint(_ASKING):
        return None
    if not params.keys().isdisjoint(_EVENT_HOLDS):
        raise errors.not_implemented("event holds")
    now = int(ctx.now() * 1000)
    mode, until, hold = (params.get(name) for name in _HEADERS)
    if not bucket.locks:
        if mode is None and until is None and hold is None:
            return None
        raise errors.invalid_request("Bucket is missing ObjectLockConfiguration")
    if (mode is None) != (until is None):
        raise errors.invalid_argument(
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            "x-amz-object-lock-mode" if mode is None else "x-amz-object-lock-retain-until-date",
            "null",
        )
    if hold is not None:
        await access.authorize(ctx, tx, bucket, "s3:PutObjectLegalHold", key=key, params=params)
    if mode is not None and until is not None:
        _check_retention(mode, until, now, "x-amz-object-lock-retain-until-date")
        await access.authorize(ctx, tx, bucket, "s3:PutObjectRetention", key=key, params=params)
        return Lock(mode, int(until * 1000), hold or "")
    default = ((await configuration(tx, bucket, KIND) or {}).get("Rule") or {}).get("DefaultRetention")
    if default:
        return Lock(default["Mode"], _after(now, default), hold or "")
    return None if hold is None else Lock(hold=hold)


def _after(now: int, default: Params) -> int:
    if "Days" in default:
        return now + int(default["Days"]) * _DAY_MILLIS
    moment = datetime.fromtimestamp(now / 1000, UTC)
    try:
        later = moment.replace(year=moment.year + int(default["Years"]))
    except ValueError:
        # The 29th of February, in a year that has none.
        later = moment.replace(year=moment.year + int(default["Years"]), day=28)
    return int(later.timestamp() * 1000)


def _check_retention(mode: str, until: float, now: int, named: str) -> None:
    """Raise AwsError for a retention that cannot be; `named` is what a request names its end by."""
    if mode not in (GOVERNANCE, COMPLIANCE):
        raise errors.invalid_argument("Unknown wormMode directive.", "x-amz-object-lock-mode", mode)
    if until * 1000 <= now:
        raise errors.invalid_argument("The retain until date must be in the future!", named, iso8601(until))


def is_retained(version: Version, now: int) -> bool:
    """Whether a retention is in force, at `now` in milliseconds since the epoch."""
    return version.lock is not None and bool(version.lock.mode) and version.lock.until > now


def is_protected(version: Version, now: int) -> bool:
    """Whether a version must not be deleted: for jobs."""
    return is_retained(version, now) or (version.lock is not None and version.lock.hold == "ON")


async def check_deletable(
    ctx: Context, tx: Transaction, bucket: Bucket, key: str, version: Version, *, bypass: bool
) -> None:
    """Raise AccessDenied where a lock keeps a version; `bypass` asks to go around governance."""
    lock = version.lock
    if lock is None:
        return
    if lock.hold == "ON":
        raise _locked()
    if is_retained(version, int(ctx.now() * 1000)):
        if lock.mode == COMPLIANCE or not bypass:
            raise _locked()
        await access.authorize(ctx, tx, bucket, "s3:BypassGovernanceRetention", key=key, version=version)


def _locked() -> AwsError:
    return errors.access_denied("Access Denied because object protected by object lock.")


async def with_retention(
    ctx: Context, tx: Transaction, bucket: Bucket, key: str, version: Version, retention: Params, *, bypass: bool
) -> Lock:
    """Return a version's lock with another retention. Raises AwsError where that may not be."""
    now = int(ctx.now() * 1000)
    before = version.lock or Lock()
    mode, until = retention.get("Mode"), retention.get("RetainUntilDate")
    if (mode is None) != (until is None):
        raise errors.malformed_xml()
    if "EventHold" in retention or "EventHoldDuration" in retention:
        raise errors.not_implemented("event holds")
    if mode is not None and until is not None:
        if mode not in (GOVERNANCE, COMPLIANCE):
            raise errors.malformed_xml()
        _check_retention(mode, until, now, "RetainUntilDate")
    after = Lock(mode or "", int((until or 0) * 1000), before.hold)
    if is_retained(version, now) and (after.mode != before.mode or after.until < before.until):
        if before.mode == COMPLIANCE or not bypass:
            raise _locked()
        await access.authorize(ctx, tx, bucket, "s3:BypassGovernanceRetention", key=key, version=version)
    return after


def check_configuration(document: Params) -> None:
    """Raise AwsError for an Object Lock configuration that cannot be."""
    if document.get("ObjectLockEnabled") != "Enabled":
        raise errors.malformed_xml()
    rule = document.get("Rule")
    if rule is None:
        return
    if "DefaultEventHold" in rule:
        raise errors.not_implemented("event holds")
    default = rule.get("DefaultRetention") or {}
    if default.get("Mode") not in (GOVERNANCE, COMPLIANCE) or ("Days" in default) == ("Years" in default):
        raise errors.malformed_xml()
    unit = "Days" if "Days" in default else "Years"
    if default[unit] <= 0:
        raise _invalid_period("Default retention period must be a positive integer value.", unit)
    if default[unit] > _LONGEST[unit]:
        raise _invalid_period("Default retention period too large.", unit)


def _invalid_period(message: str, unit: str) -> AwsError:
    return AwsError("InvalidArgument", message, status=400, ArgumentName=unit)


def to_api(lock: Lock | None) -> Params:
    """Return a lock as the members of an answer that has an object's headers."""
    if lock is None:
        return {}
    answer: Params = {}
    if lock.mode:
        answer["ObjectLockMode"] = lock.mode
        answer["ObjectLockRetainUntilDate"] = lock.until / 1000
    if lock.hold:
        answer["ObjectLockLegalHoldStatus"] = lock.hold
    return answer
