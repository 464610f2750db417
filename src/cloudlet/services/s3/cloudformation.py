"""The resource types of Amazon S3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import ITEM, Call, Items, Name, Part, Properties, ResourceType, Source


def _rename(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value whose keys have other names, wherever they are in it."""
    if isinstance(value, Mapping):
        return {names.get(key, key): _rename(item, names) for key, item in value.items()}
    return [_rename(item, names) for item in value] if isinstance(value, list) else value


def _make_renaming(name: str, **names: str) -> Any:
    return lambda properties: _rename(properties[name], names)


def _make_location(properties: Properties) -> dict[str, str] | None:
    region = properties["region"]
    return None if region == "us-east-1" else {"LocationConstraint": region}


def _make_acl(properties: Properties) -> str | None:
    """Return a canned ACL by CloudFormation's name of it: `PublicRead` is `public-read`."""
    given = properties.get("AccessControl")
    if given is None:
        return None
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in given).lstrip("-")


def _make_encryption(properties: Properties) -> dict[str, Any]:
    rules = _rename(
        properties["BucketEncryption"]["ServerSideEncryptionConfiguration"],
        {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"},
    )
    return {"Rules": rules}


def _make_logging(properties: Properties) -> dict[str, Any]:
    given = properties["LoggingConfiguration"]
    enabled = {
        "TargetBucket": given.get("DestinationBucketName", properties["BucketName"]),
        "TargetPrefix": given.get("LogFilePrefix", ""),
        "TargetObjectKeyFormat": given.get("TargetObjectKeyFormat"),
    }
    return {"LoggingEnabled": enabled}


def _make_website(properties: Properties) -> dict[str, Any]:
    given = properties["WebsiteConfiguration"]
    made = _rename(given, {"RedirectRule": "Redirect", "RoutingRuleCondition": "Condition"})
    if "IndexDocument" in given:
        made["IndexDocument"] = {"Suffix": given["IndexDocument"]}
    if "ErrorDocument" in given:
        made["ErrorDocument"] = {"Key": given["ErrorDocument"]}
    return dict(made)


def _make_notifications(properties: Properties) -> dict[str, Any]:
    given = properties["NotificationConfiguration"]
    made: dict[str, Any] = {}
    for name, member, target, arn in (
        ("TopicConfigurations", "TopicConfigurations", "Topic", "TopicArn"),
        ("QueueConfigurations", "QueueConfigurations", "Queue", "QueueArn"),
        ("LambdaConfigurations", "LambdaFunctionConfigurations", "Function", "LambdaFunctionArn"),
    ):
        configurations = [
            {
                arn: one[target],
                "Events": [one["Event"]],
                **({"Filter": {"Key": {"FilterRules": one["Filter"]["S3Key"]["Rules"]}}} if "Filter" in one else {}),
            }
            for one in given.get(name) or ()
        ]
        if configurations:
            made[member] = configurations
    bridge = given.get("EventBridgeConfiguration")
    if bridge is not None and bridge.get("EventBridgeEnabled", True):
        made["EventBridgeConfiguration"] = {}
    return made


_PLAIN_RULE: Final = ("Id", "Status", "AbortIncompleteMultipartUpload")


def _make_lifecycle(properties: Properties) -> dict[str, Any]:
    return {"Rules": [_make_rule(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]}


def _make_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: rule[name] for name in _PLAIN_RULE if name in rule}
    made["Filter"] = _make_filter(rule)
    expiration = {
        member: rule[name]
        for name, member in (
            ("ExpirationInDays", "Days"),
            ("ExpirationDate", "Date"),
            ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
        )
        if name in rule
    }
    if expiration:
        made["Expiration"] = expiration
    transitions = [*rule.get("Transitions", ()), *([rule["Transition"]] if "Transition" in rule else [])]
    if transitions:
        made["Transitions"] = _rename(transitions, {"TransitionInDays": "Days", "TransitionDate": "Date"})
    former = rule.get("NoncurrentVersionTransitions", ())
    former = [*former, *([rule["NoncurrentVersionTransition"]] if "NoncurrentVersionTransition" in rule else [])]
    if former:
        made["NoncurrentVersionTransitions"] = _rename(former, {"TransitionInDays": "NoncurrentDays"})
    if "NoncurrentVersionExpiration" in rule:
        made["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    elif "NoncurrentVersionExpirationInDays" in rule:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    return made


def _make_filter(rule: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: rule[name]
        for name in ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "AccessPointArn")
        if name in rule
    }
    tags = rule.get("TagFilters") or []
    if len(found) + len(tags) > 1:
        return {"And": {**found, **({"Tags": tags} if tags else {})}}
    return {"Tag": tags[0]} if tags else found or {"Prefix": ""}


def _make_analytics(item: Mapping[str, Any]) -> dict[str, Any]:
    export = item["StorageClassAnalysis"].get("DataExport")
    if export is None:
        return {"StorageClassAnalysis": {}}
    target = _rename(export["Destination"], {"BucketArn": "Bucket"})
    return {"StorageClassAnalysis": {"DataExport": {**export, "Destination": {"S3BucketDestination": target}}}}


def _make_inventory(item: Mapping[str, Any]) -> dict[str, Any]:
    target = _rename(item["Destination"], {"BucketArn": "Bucket", "BucketAccountId": "AccountId"})
    return {
        "IsEnabled": item["Enabled"],
        "Destination": {"S3BucketDestination": target},
        "Schedule": {"Frequency": item["ScheduleFrequency"]},
        **{name: item[name] for name in ("IncludedObjectVersions", "OptionalFields") if name in item},
    }


def _make_tiering(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"Status": item["Status"], "Tierings": item["Tierings"]}


def _make_metrics(item: Mapping[str, Any]) -> dict[str, Any]:
    return {}


_BUCKET: Final = {"Bucket": "BucketName", "ExpectedBucketOwner": None}


def _make_part(name: str, operation: str, removal: str = "", member: str = "", source: Source = "") -> Part:
    """Return a property of a bucket that an operation sets, and that another may remove.

    Their names begin with Put and Delete. The member of its input, and what that comes from, have the property's
    name unless they are given.
    """
    put = Call(f"Put{operation}", {**_BUCKET, member or name: source or name})
    return Part(name, put, Call(f"Delete{removal}", _BUCKET) if removal else None)


def _make_configurations(kind: str, make: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Items:
    """Return a property of a bucket that is a set of configurations."""

    def make_configuration(properties: Properties) -> dict[str, Any]:
        item = properties[ITEM]
        is_filtered = not {"Prefix", "TagFilters", "AccessPointArn"}.isdisjoint(item)
        return {"Id": item["Id"], **({"Filter": _make_filter(item)} if is_filtered else {}), **make(item)}

    named = {**_BUCKET, "Id": "Item.Id"}
    return Items(
        f"{kind}Configurations",
        Call(f"PutBucket{kind}Configuration", {**named, f"{kind}Configuration": make_configuration}),
        Call(f"DeleteBucket{kind}Configuration", named),
        key=lambda item: item["Id"],
    )


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::S3::Bucket",
        "s3",
        create=Call(
            "CreateBucket",
            {
                "Bucket": "BucketName",
                "CreateBucketConfiguration": _make_location,
                "ObjectLockEnabledForBucket": "ObjectLockEnabled",
                "ObjectOwnership": lambda properties: "ObjectWriter" if "AccessControl" in properties else None,
            },
        ),
        read=Call("HeadBucket", _BUCKET),
        parts=(
            _make_part("OwnershipControls", "BucketOwnershipControls", "BucketOwnershipControls"),
            _make_part("PublicAccessBlockConfiguration", "PublicAccessBlock", "PublicAccessBlock"),
            _make_part("AccessControl", "BucketAcl", member="ACL", source=_make_acl),
            _make_part("VersioningConfiguration", "BucketVersioning"),
            _make_part(
                "BucketEncryption",
                "BucketEncryption",
                "BucketEncryption",
                "ServerSideEncryptionConfiguration",
                _make_encryption,
            ),
            _make_part(
                "CorsConfiguration",
                "BucketCors",
                "BucketCors",
                "CORSConfiguration",
                _make_renaming("CorsConfiguration", ExposedHeaders="ExposeHeaders", MaxAge="MaxAgeSeconds"),
            ),
            _make_part(
                "LifecycleConfiguration", "BucketLifecycleConfiguration", "BucketLifecycle", source=_make_lifecycle
            ),
            _make_part("LoggingConfiguration", "BucketLogging", member="BucketLoggingStatus", source=_make_logging),
            _make_part("NotificationConfiguration", "BucketNotificationConfiguration", source=_make_notifications),
            _make_part("WebsiteConfiguration", "BucketWebsite", "BucketWebsite", source=_make_website),
            _make_part("ObjectLockConfiguration", "ObjectLockConfiguration"),
            _make_part(
                "AccelerateConfiguration",
                "BucketAccelerateConfiguration",
                source=_make_renaming("AccelerateConfiguration", AccelerationStatus="Status"),
            ),
            _make_part(
                "ReplicationConfiguration",
                "BucketReplication",
                "BucketReplication",
                source=_make_renaming("ReplicationConfiguration", TagFilters="Tags", TagFilter="Tag"),
            ),
            _make_configurations("Analytics", _make_analytics),
            _make_configurations("IntelligentTiering", _make_tiering),
            _make_configurations("Inventory", _make_inventory),
            _make_configurations("Metrics", _make_metrics),
            _make_part(
                "Tags",
                "BucketTagging",
                "BucketTagging",
                "Tagging",
                lambda properties: {"TagSet": properties["Tags"]},
            ),
            # Last: once it is on, `PutBucketTagging` is refused.
            _make_part("AbacStatus", "BucketAbac", source=lambda properties: {"Status": properties["AbacStatus"]}),
        ),
        delete=Call("DeleteBucket", _BUCKET),
        named=Name("BucketName", 63, is_lower=True),
        attributes={
            "Arn": "arn:{partition}:s3:::{BucketName}",
            "DomainName": "{BucketName}.s3.{url_suffix}",
            "DualStackDomainName": "{BucketName}.s3.dualstack.{region}.{url_suffix}",
            "RegionalDomainName": "{BucketName}.s3.{region}.{url_suffix}",
            "WebsiteURL": "http://{BucketName}.s3-website-{region}.{url_suffix}",
        },
    ),
    ResourceType(
        "AWS::S3::BucketPolicy",
        "s3",
        create=Call("PutBucketPolicy", {"Policy": "PolicyDocument"}),
        updates=(Call("PutBucketPolicy", {"Policy": "PolicyDocument"}),),
        delete=Call("DeleteBucketPolicy"),
    ),
)
