"""The operations on what is configured for a bucket, from CORS to its website."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.system_tags import can_set as can_set_system_tags
from cloudlet.core.kernel.ids import token
from cloudlet.services.s3 import errors
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets import cors, website
from cloudlet.services.s3.buckets.bucket import (
    configuration,
    delete_configuration,
    find_bucket,
    put_configuration,
    store_bucket,
)
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import destinations, notification
from cloudlet.services.s3.object_data import tag_sets
from cloudlet.services.s3.permissions import abac, access, acl
from cloudlet.services.s3.replicas import replication, replication_check
from cloudlet.services.s3.retention import lifecycle, lifecycle_check, locks

Check = Callable[[Transaction, Bucket, Any], Awaitable[Any]]


def _always(bucket: Bucket) -> None:
    """Let a configuration be changed whatever the bucket is."""


class Setting(NamedTuple):
    """A configuration that is put, got and deleted as a whole."""

    kind: str
    operation: str
    """What its three operations are named for."""
    member: str
    """The parameter of the Put operation that has it."""
    get_action: str
    put_action: str
    delete_action: str
    absent: tuple[str, str]
    """The error where there is none: its code and message."""
    check: Check
    show: Callable[[Any], Result]
    topic: bytes = b""
    """Notified when it changes."""
    check_changeable: Callable[[Bucket], None] = _always
    """Raises AwsError where the bucket does not let it be changed."""
    check_change: Callable[[Any, Any], None] | None = None
    """Raises AwsError where users cannot bring what is stored to something else."""
    put_status: int | None = None
    """The HTTP status of the Put operation's answer, where that is not the usual one."""


def _declare(setting: Setting) -> None:
    """Declare the operations of a setting."""

    @service.operation(f"Put{setting.operation}")
    async def put(ctx: Context, tx: Transaction, params: Params) -> Result:
        bucket = await access.bucket_for(ctx, tx, params, setting.put_action)
        setting.check_changeable(bucket)
        locks.refuse_token(params)
        value = await setting.check(tx, bucket, params[setting.member])
        await _check_change(ctx, tx, setting, bucket, value)
        if value:
            put_configuration(tx, bucket, setting.kind, value)
        else:
            delete_configuration(tx, bucket, setting.kind)
        _tell(tx, setting)
        ctx.response_status = setting.put_status
        return None

    @service.operation(f"Get{setting.operation}")
    async def get(ctx: Context, tx: Transaction, params: Params) -> Result:
        bucket = await access.bucket_for(ctx, tx, params, setting.get_action)
        value = await configuration(tx, bucket, setting.kind)
        if value is None:
            raise errors.make_missing_configuration_error(*setting.absent, bucket.name)
        return setting.show(value)

    @service.operation(f"Delete{setting.operation.removesuffix('Configuration')}")
    async def delete(ctx: Context, tx: Transaction, params: Params) -> Result:
        bucket = await access.bucket_for(ctx, tx, params, setting.delete_action)
        setting.check_changeable(bucket)
        await _check_change(ctx, tx, setting, bucket, {})
        delete_configuration(tx, bucket, setting.kind)
        _tell(tx, setting)
        return None


async def _check_change(ctx: Context, tx: Transaction, setting: Setting, bucket: Bucket, value: Any) -> None:
    if setting.check_change is not None and not can_set_system_tags(ctx):
        setting.check_change(await configuration(tx, bucket, setting.kind) or {}, value)


def _tell(tx: Transaction, setting: Setting) -> None:
    if setting.topic:
        tx.notify(setting.topic)


async def _cors(tx: Transaction, bucket: Bucket, document: Any) -> Any:
    return cors.checked(document)


async def _tags(tx: Transaction, bucket: Bucket, document: Any) -> Any:
    return tag_sets.checked_bucket_tags(document.get("TagSet") or ())


async def _website(tx: Transaction, bucket: Bucket, document: Any) -> Any:
    return website.checked(document)


_declare(
    Setting(
        kind="cors",
        operation="BucketCors",
        member="CORSConfiguration",
        get_action="s3:GetBucketCORS",
        put_action="s3:PutBucketCORS",
        delete_action="s3:PutBucketCORS",
        absent=("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
        check=_cors,
        show=lambda value: value,
    )
)
_declare(
    Setting(
        kind="tagging",
        operation="BucketTagging",
        member="Tagging",
        get_action="s3:GetBucketTagging",
        put_action="s3:PutBucketTagging",
        delete_action="s3:PutBucketTagging",
        absent=("NoSuchTagSet", "The TagSet does not exist"),
        check=_tags,
        show=lambda value: {"TagSet": tag_sets.to_api(value)},
        check_changeable=abac.check_taggable,
        check_change=tag_sets.check_system_tags,
        put_status=204,
    )
)
_declare(
    Setting(
        kind="website",
        operation="BucketWebsite",
        member="WebsiteConfiguration",
        get_action="s3:GetBucketWebsite",
        put_action="s3:PutBucketWebsite",
        delete_action="s3:DeleteBucketWebsite",
        absent=("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
        check=_website,
        show=lambda value: value,
    )
)
_declare(
    Setting(
        kind="replication",
        operation="BucketReplication",
        member="ReplicationConfiguration",
        get_action="s3:GetReplicationConfiguration",
        put_action="s3:PutReplicationConfiguration",
        delete_action="s3:PutReplicationConfiguration",
        absent=("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
        check=replication_check.checked,
        show=lambda value: {"ReplicationConfiguration": value},
        topic=replication.TOPIC,
    )
)


# -- lifecycle: its Put and Get have a header besides


@service.operation("PutBucketLifecycleConfiguration")
async def put_bucket_lifecycle_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutLifecycleConfiguration")
    if params.get("LifecycleConfiguration") is None:
        raise errors.missing_body()
    least = params.get("TransitionDefaultMinimumObjectSize") or "all_storage_classes_128K"
    if least not in ("all_storage_classes_128K", "varies_by_storage_class"):
        message = "Invalid TransitionDefaultMinimumObjectSize found"
        raise errors.invalid_argument(message, "x-amz-transition-default-minimum-object-size", least)
    document = lifecycle_check.checked(params["LifecycleConfiguration"])
    put_configuration(tx, bucket, "lifecycle", {**document, "TransitionDefaultMinimumObjectSize": least})
    tx.notify(lifecycle.TOPIC)
    return {"TransitionDefaultMinimumObjectSize": least}


@service.operation("GetBucketLifecycleConfiguration")
async def get_bucket_lifecycle_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetLifecycleConfiguration")
    value: Mapping[str, Any] | None = await configuration(tx, bucket, "lifecycle")
    if value is None:
        message = "The lifecycle configuration does not exist"
        raise errors.make_missing_configuration_error("NoSuchLifecycleConfiguration", message, bucket.name)
    return value


@service.operation("DeleteBucketLifecycle")
async def delete_bucket_lifecycle(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutLifecycleConfiguration")
    delete_configuration(tx, bucket, "lifecycle")
    tx.notify(lifecycle.TOPIC)
    return None


# -- default encryption: there always is one

_DEFAULT_ENCRYPTION = {
    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
}


@service.operation("PutBucketEncryption")
async def put_bucket_encryption(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutEncryptionConfiguration")
    rules = (params["ServerSideEncryptionConfiguration"] or {}).get("Rules") or []
    if len(rules) != 1:
        raise errors.malformed_xml()
    put_configuration(tx, bucket, "encryption", {"Rules": [_checked_encryption(rules[0])]})
    return None


def _checked_encryption(rule: Mapping[str, Any]) -> dict[str, Any]:
    default = rule.get("ApplyServerSideEncryptionByDefault")
    blocked = (rule.get("BlockedEncryptionTypes") or {}).get("EncryptionType") or []
    if default is None and not blocked:
        raise errors.malformed_xml()
    if any(each not in ("NONE", "SSE-C") for each in blocked) or len(blocked) > 1:
        raise errors.malformed_xml()
    algorithm = "AES256" if default is None else default.get("SSEAlgorithm")
    if algorithm not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise errors.malformed_xml()
    if algorithm == "AES256" and default is not None and default.get("KMSMasterKeyID"):
        raise _invalid("a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse")
    if algorithm == "aws:kms:dsse" and rule.get("BucketKeyEnabled"):
        raise _invalid("An S3 Bucket Key is not applicable if the default sse algorithm is aws:kms:dsse")
    return {
        "ApplyServerSideEncryptionByDefault": default or {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": bool(rule.get("BucketKeyEnabled")),
        **({"BlockedEncryptionTypes": {"EncryptionType": blocked}} if blocked else {}),
    }


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidArgument", message, status=400)


@service.operation("GetBucketEncryption")
async def get_bucket_encryption(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetEncryptionConfiguration")
    value = await configuration(tx, bucket, "encryption")
    return {"ServerSideEncryptionConfiguration": value or _DEFAULT_ENCRYPTION}


@service.operation("DeleteBucketEncryption")
async def delete_bucket_encryption(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutEncryptionConfiguration")
    delete_configuration(tx, bucket, "encryption")
    return None


# -- notification


@service.direct("PutBucketNotificationConfiguration")
async def put_bucket_notification_configuration(ctx: Context, params: Params) -> Result:
    async def admitted(tx: Transaction) -> Bucket:
        return await access.bucket_for(ctx, tx, params, "s3:PutBucketNotification")

    document = params["NotificationConfiguration"] or {}
    _check_notification(document)
    bucket = await ctx.transact(admitted)
    await destinations.check(ctx, bucket, document, skip=bool(params.get("SkipDestinationValidation")))

    async def store(tx: Transaction) -> None:
        bucket = await admitted(tx)
        if document:
            put_configuration(tx, bucket, "notification", document)
        else:
            delete_configuration(tx, bucket, "notification")

    await ctx.transact(store)
    return None


_NOTIFIED = {
    "TopicConfigurations": "TopicArn",
    "QueueConfigurations": "QueueArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}


_MOST_NOTIFIED = 100


class _Watched(NamedTuple):
    """What a notification configuration is about."""

    events: Sequence[str]
    prefix: str
    suffix: str

    def may_be_of_one_key_with(self, other: _Watched) -> bool:
        """Whether some key passes the filters of both."""
        return (self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)) and (
            self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix)
        )


def _check_notification(document: dict[str, Any]) -> None:
    """Raise for what is no notification configuration; give those an id that have none."""
    if sum(len(document.get(kind) or ()) for kind in _NOTIFIED) > _MOST_NOTIFIED:
        raise _invalid(f"A bucket cannot have more than {_MOST_NOTIFIED} notification configurations.")
    ids: set[str] = set()
    watched: list[_Watched] = []
    for kind in _NOTIFIED:
        for each in document.get(kind) or ():
            each["Id"] = each.get("Id") or token(48)
            if each["Id"] in ids:
                raise _invalid("Same ID used for multiple configurations. IDs must be unique")
            ids.add(each["Id"])
            rules = ((each.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ()
            for rule in rules:
                name = str(rule.get("Name", ""))
                if name.lower() not in ("prefix", "suffix"):
                    message = "filter rule name must be either prefix or suffix"
                    raise errors.invalid_argument(message, "FilterRule.Name", name)
                rule["Name"] = name.capitalize()
            names = [rule["Name"].lower() for rule in rules]
            if len(set(names)) < len(names):
                raise _invalid(f"Cannot specify more than one {names[0]} rule in a filter.")
            values = dict(zip(names, map(notification.affix, rules), strict=True))
            watched.append(_Watched(each.get("Events") or (), values.get("prefix", ""), values.get("suffix", "")))
    _check_overlaps(watched)


def _check_overlaps(watched: list[_Watched]) -> None:
    """No event may be for two destinations."""
    for index, one in enumerate(watched):
        distinct = set(one.events)
        if len(distinct) < len(one.events) or any(_overlap(*pair) for pair in combinations(distinct, 2)):
            raise _overlapping()
        for other in watched[:index]:
            if one.may_be_of_one_key_with(other) and any(_overlap(*pair) for pair in product(distinct, other.events)):
                raise _overlapping()


def _overlapping() -> AwsError:
    return _invalid("Configurations overlap. Configurations on the same bucket cannot share a common event type.")


def _overlap(one: str, other: str) -> bool:
    if one == other:
        return True
    return (one.endswith("*") and other.startswith(one[:-1])) or (other.endswith("*") and one.startswith(other[:-1]))


@service.operation("GetBucketNotificationConfiguration")
async def get_bucket_notification_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetBucketNotification")
    value: Mapping[str, Any] | None = await configuration(tx, bucket, "notification")
    return value


# -- logging


@service.operation("PutBucketLogging")
async def put_bucket_logging(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutBucketLogging")
    enabled = (params["BucketLoggingStatus"] or {}).get("LoggingEnabled")
    if enabled is None:
        delete_configuration(tx, bucket, "logging")
        return None
    if enabled.get("TargetBucket") is None or enabled.get("TargetPrefix") is None:
        raise errors.malformed_xml()
    target = await find_bucket(tx, enabled["TargetBucket"])
    if target is None:
        raise _invalid_target("The target bucket for logging does not exist", enabled["TargetBucket"])
    if target.account != bucket.account:
        raise _invalid_target(
            "The owner for the bucket to be logged and the target bucket must be the same.", target.name
        )
    if target.region != bucket.region:
        raise AwsError(
            "CrossLocationLoggingProhibitted",
            "Cross S3 location logging not allowed.",
            status=403,
            TargetBucketLocation=target.region,
        )
    if target.requester_pays:
        raise _invalid_target("The target bucket for logging cannot be a Requester Pays bucket.", target.name)
    logged = await _checked_logging(ctx, tx, bucket, target, enabled)
    put_configuration(tx, bucket, "logging", {"LoggingEnabled": logged})
    return None


async def _checked_logging(
    ctx: Context, tx: Transaction, bucket: Bucket, target: Bucket, enabled: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return a LoggingEnabled to store. Raises AwsError where logs may not go to the target so."""
    grants = enabled.get("TargetGrants")
    if grants and target.ownership == acl.ENFORCED:
        raise errors.invalid_argument(
            "TargetGrants cannot be used with BucketOwnerEnforced object ownership", "TargetGrants", ""
        )
    if grants:
        enabled = {**enabled, "TargetGrants": acl.log_grants(grants)}
    if not await access.may_deliver_logs(ctx, tx, bucket, target, enabled["TargetPrefix"]):
        raise _invalid_target(
            "You must give the log-delivery group WRITE and READ_ACP permissions to the target bucket", target.name
        )
    return enabled


def _invalid_target(message: str, name: str) -> AwsError:
    return AwsError("InvalidTargetBucketForLogging", message, status=400, TargetBucket=name)


@service.operation("GetBucketLogging")
async def get_bucket_logging(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetBucketLogging")
    value: Mapping[str, Any] | None = await configuration(tx, bucket, "logging")
    return value


# -- who pays


@service.operation("PutBucketRequestPayment")
async def put_bucket_request_payment(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutBucketRequestPayment")
    payer = (params["RequestPaymentConfiguration"] or {}).get("Payer")
    if payer not in ("Requester", "BucketOwner"):
        raise errors.malformed_xml()
    store_bucket(tx, msgspec.structs.replace(bucket, requester_pays=payer == "Requester"))
    return None


@service.operation("GetBucketRequestPayment")
async def get_bucket_request_payment(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetBucketRequestPayment")
    return {"Payer": "Requester" if bucket.requester_pays else "BucketOwner"}
