"""Trails: what is stored of them, and how they are found.

User guide, "Naming requirements for CloudTrail resources, S3 buckets, and KMS keys" and "Quotas in AWS CloudTrail".
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.services.cloudtrail import data_wanted, selectors
from cloudlet.services.cloudtrail.event import Event

TOPIC = b"trails"
"""Is told of each change of a trail."""
_MOST = 5
"""Of a region, with those of other regions that are for all."""
_LISTED = 1000
GIVEN_UP_SECONDS = 30 * 86_400
"""What could not be delivered for so long never is (AWS tries for 30 days)."""
_SHORTEST_NAME = 3
_LONGEST_NAME = 128
_NAME = re.compile(r"[A-Za-z0-9](?:[._-]?[A-Za-z0-9])*")
_GLOBAL = frozenset({"cloudfront.amazonaws.com", "iam.amazonaws.com", "organizations.amazonaws.com"})
_SELF = "cloudtrail.amazonaws.com"

_TRAILS = Subspace("trail")
"""Account, home region, name → Trail."""
_STATUS = Subspace("trail-status")
"""ARN → Status."""


def arn_of(account: str, region: str, name: str) -> str:
    """Return the ARN of a trail."""
    return str(Arn(partition_of(region), "cloudtrail", region, account, f"trail/{name}"))


class Trail(msgspec.Struct, frozen=True):
    """What is stored of a trail. Times are in seconds since the epoch."""

    account: str
    region: str
    """Its home."""
    name: str
    bucket: str
    prefix: str = ""
    topic_arn: str = ""
    topic_name: str = ""
    """As it was given."""
    log_group: str = ""
    """The ARN of a log group of CloudWatch Logs."""
    log_role: str = ""
    global_events: bool = True
    multi_region: bool = False
    validated: bool = False
    recursive: bool = True
    tags: dict[str, str] = {}
    logging: bool = False
    started: float | None = None
    stopped: float | None = None
    basic: list[dict[str, Any]] = []
    """Event selectors; where there are neither these nor advanced ones, those that every trail has at first."""
    advanced: list[dict[str, Any]] = []
    kms_key: str = ""
    """The ARN of the KMS key of its files. It is empty where S3 uses a key of its own."""

    @property
    def arn(self) -> str:
        return arn_of(self.account, self.region, self.name)

    def logs(self, event: Event) -> bool:
        """Whether an event of its account goes into its files."""
        record = event.record
        if not self.logging or not (self.multi_region or event.region == self.region):
            return False
        if not self.global_events and record["eventSource"] in _GLOBAL:
            return False
        if not self.recursive and record["userIdentity"].get("invokedBy") == _SELF:
            return False
        if self.advanced:
            return selectors.any_advanced(self.advanced, event)
        return selectors.any_basic(self.basic or selectors.DEFAULT, event)

    @property
    def logs_data(self) -> bool:
        """Whether data events may go into its files."""
        return self.logging and selectors.select_data(self.basic, self.advanced)

    def settings(self) -> dict[str, Any]:
        """Return it as CreateTrail shows it."""
        return {
            "Name": self.name,
            "S3BucketName": self.bucket,
            "S3KeyPrefix": self.prefix or None,
            "SnsTopicName": self.topic_name or None,
            "SnsTopicARN": self.topic_arn or None,
            "IncludeGlobalServiceEvents": self.global_events,
            "IsMultiRegionTrail": self.multi_region,
            "TrailARN": self.arn,
            "LogFileValidationEnabled": self.validated,
            "CloudWatchLogsLogGroupArn": self.log_group or None,
            "CloudWatchLogsRoleArn": self.log_role or None,
            "KmsKeyId": self.kms_key or None,
            "IsOrganizationTrail": False,
            "RecursiveLogging": self.recursive,
        }

    def shown(self) -> dict[str, Any]:
        """Return it as GetTrail shows it."""
        return {
            **self.settings(),
            "HomeRegion": self.region,
            "HasCustomEventSelectors": bool(self.basic or self.advanced),
            "HasInsightSelectors": False,
        }


class Status(msgspec.Struct, frozen=True):
    """What became of deliveries. Times are in seconds since the epoch; errors are empty after a success."""

    delivered: float | None = None
    attempted: float | None = None
    error: str = ""
    notified: float | None = None
    notice_attempted: float | None = None
    notice_error: str = ""
    digest_delivered: float | None = None
    digest_error: str = ""
    logs_delivered: float | None = None
    logs_error: str = ""


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Trail).decode
_decode_status = msgspec.msgpack.Decoder(Status).decode


def check_name(name: str) -> None:
    """Raise InvalidTrailNameException for what cannot be a trail's name."""
    if len(name) < _SHORTEST_NAME:
        raise _bad_name(
            f"Trail name too short. Minimum allowed length: {_SHORTEST_NAME} characters. "
            f"Specified name length: {len(name)} characters."
        )
    if len(name) > _LONGEST_NAME:
        raise _bad_name(
            f"Trail name too long. Maximum allowed length: {_LONGEST_NAME} characters. "
            f"Specified name length: {len(name)} characters."
        )
    if _NAME.fullmatch(name) is None:
        raise _bad_name(
            "Trail name must contain only letters, numbers, periods, underscores and dashes, none of the latter "
            "side by side, and start and end with a letter or number."
        )
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return
    raise _bad_name("Trail name must not be in IP address format.")


def _bad_name(why: str) -> AwsError:
    return AwsError("InvalidTrailNameException", why)


async def of_account(tx: Transaction, account: str) -> list[Trail]:
    """Return the trails of an account, of all regions."""
    space = _TRAILS.sub(account)
    return [_decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_LISTED)]


async def find(ctx: Context, tx: Transaction, name: str, *, at_home: bool = False) -> Trail:
    """Return the trail of a name in the caller's region, or of an ARN. Raises AwsError.

    `at_home`: the call must be made in the trail's home region.
    """
    region = ctx.region
    if name.startswith("arn:"):
        region, name = _parts(ctx, name)
    else:
        check_name(name)
    raw = await tx.get(_TRAILS.key(ctx.account, region, name))
    found = None if raw is None else _decode(raw)
    if found is None or (region != ctx.region and not found.multi_region):
        raise _unknown(ctx, arn_of(ctx.account, region, name))
    if at_home and region != ctx.region:
        raise AwsError(
            "InvalidHomeRegionException", f"The trail {found.arn} can be changed in its home region {region} only."
        )
    return found


def _parts(ctx: Context, arn: str) -> tuple[str, str]:
    """Return the region and the name of a trail's ARN. Raises AwsError."""
    try:
        parts = Arn.parse(arn)
    except ValueError:
        raise _bad_arn(arn) from None
    kind, _, name = parts.resource.partition("/")
    if parts.service != "cloudtrail" or kind != "trail" or not parts.region or not name:
        raise _bad_arn(arn)
    if parts.account != ctx.account:
        raise _unknown(ctx, arn)
    check_name(name)
    return parts.region, name


def _unknown(ctx: Context, arn: str) -> AwsError:
    return AwsError("TrailNotFoundException", f"Unknown trail: {arn} for the user: {ctx.account}")


def _bad_arn(arn: str) -> AwsError:
    return AwsError("CloudTrailARNInvalidException", f"Invalid trail ARN: {arn}")


async def add(tx: Transaction, trail: Trail) -> None:
    """Store a new trail. Raises AwsError where there is one of its name, or too many."""
    others = [each for each in await of_account(tx, trail.account) if each.multi_region or each.region == trail.region]
    if any(each.name == trail.name for each in others):
        raise AwsError(
            "TrailAlreadyExistsException", f"Trail {trail.name} already exists for customer: {trail.account}"
        )
    if len(others) >= _MOST:
        raise AwsError(
            "MaximumNumberOfTrailsExceededException",
            f"User: {trail.account} already has {_MOST} trails in {trail.region}.",
        )
    save(tx, trail)


def save(tx: Transaction, trail: Trail) -> None:
    """Store a trail as it is now."""
    key = _TRAILS.key(trail.account, trail.region, trail.name)
    tx.put(key, _encode(trail))
    data_wanted.note(tx, key, wants=trail.logs_data)
    tx.notify(TOPIC)


def remove(tx: Transaction, trail: Trail) -> None:
    """Forget a trail and its status."""
    key = _TRAILS.key(trail.account, trail.region, trail.name)
    tx.delete(key)
    data_wanted.note(tx, key, wants=False)
    tx.delete(_STATUS.key(trail.arn))
    tx.notify(TOPIC)


async def find_by_arn(tx: Transaction, arn: str) -> Trail | None:
    """Return the trail of an ARN as it is now, if it is still there."""
    parts = Arn.parse(arn)
    raw = await tx.get(_TRAILS.key(parts.account, parts.region, parts.resource.partition("/")[2]))
    return None if raw is None else _decode(raw)


async def status(tx: Transaction, arn: str) -> Status:
    """Return what became of a trail's deliveries."""
    raw = await tx.get(_STATUS.key(arn))
    return Status() if raw is None else _decode_status(raw)


async def note(tx: Transaction, arn: str, **changes: Any) -> None:
    """Change the status of a trail, if it is still there."""
    if await find_by_arn(tx, arn) is not None:
        tx.put(_STATUS.key(arn), _encode(msgspec.structs.replace(await status(tx, arn), **changes)))
