"""Operations on trails."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import iso8601
from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.services.cloudtrail import buckets, delivering, digests, encryption, log_group, outbox, public_keys, trail
from cloudlet.services.cloudtrail.block import service
from cloudlet.services.cloudtrail.buckets import Target
from cloudlet.services.cloudtrail.outbox import Lane
from cloudlet.services.cloudtrail.tagging import with_tags
from cloudlet.services.cloudtrail.trail import Trail

_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LOG_GROUP = re.compile(r"log-group:[.\-_/#A-Za-z0-9]{1,512}:\*")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
_TEST_MESSAGE = "CloudTrail validation message."
_SETTINGS = {
    "S3BucketName": "bucket",
    "S3KeyPrefix": "prefix",
    "IncludeGlobalServiceEvents": "global_events",
    "IsMultiRegionTrail": "multi_region",
    "EnableLogFileValidation": "validated",
    "RecursiveLogging": "recursive",
}


@service.direct("CreateTrail")
async def create_trail(ctx: Context, params: Params) -> Result:
    trail.check_name(params["Name"])
    tags = with_tags({}, params.get("TagsList") or [])
    made = _changed(ctx, Trail(ctx.account, ctx.region, params["Name"], "", tags=tags), params)
    made = await _set_key(ctx, made, params)
    await _check_destinations(ctx, Trail(ctx.account, ctx.region, made.name, ""), made)
    await ctx.transact(lambda tx: trail.add(tx, made))
    return made.settings()


@service.direct("UpdateTrail")
async def update_trail(ctx: Context, params: Params) -> Result:
    old = await ctx.transact(lambda tx: trail.find(ctx, tx, params["Name"], at_home=True))
    wanted = await _set_key(ctx, _changed(ctx, old, params), params)
    await _check_destinations(ctx, old, wanted)

    async def change(tx: Transaction) -> Trail:
        found = await trail.find(ctx, tx, params["Name"], at_home=True)
        changed = msgspec.structs.replace(_changed(ctx, found, params), kms_key=wanted.kms_key)
        trail.save(tx, changed)
        if changed.validated and changed.logging:
            await digests.begin(tx, Lane(changed.arn, changed.region), ctx.now())
        return changed

    return (await ctx.transact(change)).settings()


async def _set_key(ctx: Context, made: Trail, params: Params) -> Trail:
    """Return a trail with the KMS key that is given. An empty one takes it away. Raises AwsError."""
    wanted = params.get("KmsKeyId")
    if wanted is None:
        return made
    key = await encryption.find_key(ctx, made, wanted) if wanted else ""
    changed: Trail = msgspec.structs.replace(made, kms_key=key)
    return changed


def _changed(ctx: Context, old: Trail, params: Params) -> Trail:
    """Return a trail with the settings that are given. Raises AwsError for such as cannot be."""
    _refuse_what_is_not_built(params)
    changes: dict[str, Any] = {field: params[name] for name, field in _SETTINGS.items() if params.get(name) is not None}
    if "bucket" in changes:
        buckets.check_name(changes["bucket"])
    buckets.check_prefix(changes.get("prefix", ""))
    if params.get("SnsTopicName") is not None:
        changes |= _topic(ctx, params["SnsTopicName"])
    changes |= _logs(ctx, old, params)
    changed = msgspec.structs.replace(old, **changes)
    if changed.multi_region and not changed.global_events:
        raise AwsError("InvalidParameterCombinationException", "Multi-Region trail must include global service events.")
    return changed


def _topic(ctx: Context, name: str) -> dict[str, Any]:
    """Return the members of a trail that say its topic, from a name or an ARN. Raises AwsError."""
    if not name:
        return {"topic_arn": "", "topic_name": ""}
    if not name.startswith("arn:"):
        arn = Arn(partition_of(ctx.region), "sns", ctx.region, ctx.account, name)
    else:
        try:
            arn = Arn.parse(name)
        except ValueError:
            raise _bad_topic(name) from None
    if arn.service != "sns" or not arn.region or _TOPIC.fullmatch(arn.resource) is None:
        raise _bad_topic(name)
    return {"topic_arn": str(arn), "topic_name": name}


def _bad_topic(name: str) -> AwsError:
    return AwsError("InvalidSnsTopicNameException", f"The SNS topic name is not valid: {name}")


def _logs(ctx: Context, old: Trail, params: Params) -> dict[str, Any]:
    """Return the members of a trail that say its log group. Raises AwsError."""
    group, role = params.get("CloudWatchLogsLogGroupArn"), params.get("CloudWatchLogsRoleArn")
    if group is None and role is None:
        return {}
    group = old.log_group if group is None else group
    role = old.log_role if role is None else role
    if (group or role) and not _is_log_group(ctx, group):
        raise AwsError(
            "InvalidCloudWatchLogsLogGroupArnException", f"The CloudWatch Logs log group ARN is not valid: {group}"
        )
    if group and _ROLE.fullmatch(role) is None:
        raise AwsError("InvalidCloudWatchLogsRoleArnException", f"The CloudWatch Logs role ARN is not valid: {role}")
    return {"log_group": group, "log_role": role}


def _is_log_group(ctx: Context, arn: str) -> bool:
    """Whether an ARN is one of a log group of the caller's account."""
    try:
        parts = Arn.parse(arn)
    except ValueError:
        return False
    is_group = parts.service == "logs" and _LOG_GROUP.fullmatch(parts.resource) is not None
    return is_group and parts.account == ctx.account and bool(parts.region)


def _refuse_what_is_not_built(params: Params) -> None:
    """Raise AwsError where a trail is to do what Cloudlet's do not."""
    if params.get("IsOrganizationTrail"):
        raise AwsError("OrganizationsNotInUseException", "Your account is not a member of an organization.")


async def _check_destinations(ctx: Context, old: Trail, wanted: Trail) -> None:
    """Raise AwsError where what a trail delivers to is not there, or does not let CloudTrail in."""
    await buckets.check(ctx.block, Target(wanted.bucket, wanted.account, wanted.region, wanted.arn))
    if wanted.log_group and (wanted.log_group, wanted.log_role) != (old.log_group, old.log_role):
        await _check_log_group(ctx, wanted)
    if wanted.topic_arn and wanted.topic_arn != old.topic_arn:
        try:
            await delivering.publish(ctx.block, wanted, _TEST_MESSAGE)
        except AwsError as error:
            if (error.status or 400) >= 500:
                raise
            raise AwsError(
                "InsufficientSnsTopicPolicyException", "SNS Topic does not exist or the topic policy is incorrect!"
            ) from error


async def _check_log_group(ctx: Context, wanted: Trail) -> None:
    """Create the log stream of a trail. Raises AwsError."""
    if not ctx.block.cloud.has("logs"):
        raise AwsError(
            "CloudWatchLogsDeliveryUnavailableException", "There is no CloudWatch Logs to deliver events to here."
        )
    if not await log_group.is_trusted(ctx.block, wanted):
        raise AwsError(
            "InvalidCloudWatchLogsRoleArnException", "Access denied. Check the trust relationships for your role."
        )
    try:
        await log_group.make_stream(ctx.block, wanted, wanted.region)
    except AwsError as error:
        if error.code == "AccessDeniedException":
            raise AwsError(
                "InvalidCloudWatchLogsRoleArnException",
                "Access denied. Verify in IAM that the role has adequate permissions.",
            ) from error
        if error.code == "ResourceNotFoundException":
            raise AwsError(
                "InvalidCloudWatchLogsLogGroupArnException",
                f"CloudTrail cannot validate the specified log group ARN: {wanted.log_group}",
            ) from error
        raise


@service.operation("DeleteTrail")
async def delete_trail(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await trail.find(ctx, tx, params["Name"], at_home=True)
    trail.remove(tx, found)
    outbox.clear(tx, found.arn)
    digests.clear(tx, found.arn)
    return {}


@service.operation("GetTrail")
async def get_trail(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"Trail": (await trail.find(ctx, tx, params["Name"])).shown()}


@service.operation("DescribeTrails")
async def describe_trails(ctx: Context, tx: Transaction, params: Params) -> Result:
    wanted = params.get("trailNameList") or []
    with_shadows = params.get("includeShadowTrails") is not False
    found = await trail.of_account(tx, ctx.account)
    if wanted:
        shown = [each for each in found if each.arn in wanted or (each.region == ctx.region and each.name in wanted)]
    else:
        shown = [each for each in found if each.region == ctx.region or each.multi_region]
    return {"trailList": [each.shown() for each in shown if with_shadows or each.region == ctx.region]}


@service.operation("ListTrails")
async def list_trails(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("NextToken"):
        raise AwsError("InvalidNextTokenException", "The next token is invalid.", status=400)
    found = await trail.of_account(tx, ctx.account)
    return {"Trails": [{"TrailARN": each.arn, "Name": each.name, "HomeRegion": each.region} for each in found]}


@service.operation("StartLogging")
async def start_logging(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await trail.find(ctx, tx, params["Name"], at_home=True)
    if not found.logging:
        trail.save(tx, msgspec.structs.replace(found, logging=True, started=ctx.now()))
        if found.validated:
            await digests.begin(tx, Lane(found.arn, found.region), ctx.now())
    return {}


@service.operation("StopLogging")
async def stop_logging(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await trail.find(ctx, tx, params["Name"], at_home=True)
    if found.logging:
        trail.save(tx, msgspec.structs.replace(found, logging=False, stopped=ctx.now()))
    return {}


@service.operation("GetTrailStatus")
async def get_trail_status(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await trail.find(ctx, tx, params["Name"])
    status = await trail.status(tx, found.arn)
    return {
        "IsLogging": found.logging,
        "StartLoggingTime": found.started,
        "StopLoggingTime": found.stopped,
        "TimeLoggingStarted": _text(found.started),
        "TimeLoggingStopped": _text(found.stopped),
        "LatestDeliveryTime": status.delivered,
        "LatestDeliveryError": status.error or None,
        "LatestDeliveryAttemptTime": _text(status.attempted),
        "LatestDeliveryAttemptSucceeded": _text(status.delivered),
        "LatestNotificationTime": status.notified,
        "LatestNotificationError": status.notice_error or None,
        "LatestNotificationAttemptTime": _text(status.notice_attempted),
        "LatestNotificationAttemptSucceeded": _text(status.notified),
        "LatestCloudWatchLogsDeliveryTime": status.logs_delivered,
        "LatestCloudWatchLogsDeliveryError": status.logs_error or None,
        "LatestDigestDeliveryTime": status.digest_delivered,
        "LatestDigestDeliveryError": status.digest_error or None,
    }


def _text(moment: float | None) -> str:
    return "" if moment is None else iso8601.second(int(moment))


@service.direct("ListPublicKeys")
async def list_public_keys(ctx: Context, params: Params) -> Result:
    if params.get("NextToken"):
        raise AwsError("InvalidTokenException", "The token is not valid.")
    now = ctx.now()
    begin, end = params.get("StartTime"), params.get("EndTime")
    begin, end = now if begin is None else begin, now if end is None else end
    if begin > end:
        raise AwsError("InvalidTimeRangeException", "The start time must be before the end time.")
    if begin <= now <= end:
        await public_keys.valid_at(ctx.block, ctx.region, now)
    keys = await ctx.transact(lambda tx: public_keys.between(tx, ctx.region, begin, end))
    return {"PublicKeyList": [key.shown() for key in keys]}
