"""The way to read resources of Amazon S3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, find_path
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading

_BUCKET: Final = {"Bucket": "BucketName", "ExpectedBucketOwner": None}


def _rename(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value whose keys have other names, wherever they are in it."""
    if isinstance(value, Mapping):
        return {names.get(key, key): _rename(item, names) for key, item in value.items()}
    return [_rename(item, names) for item in value] if isinstance(value, list) else value


def _make_renaming(**names: str) -> Callable[[Properties], Any]:
    return lambda properties: _rename(properties[ANSWER], names)


def _find_encryption(properties: Properties) -> dict[str, Any]:
    rules = _rename(
        find_path(properties[ANSWER], "ServerSideEncryptionConfiguration.Rules"),
        {"ApplyServerSideEncryptionByDefault": "ServerSideEncryptionByDefault"},
    )
    return {"ServerSideEncryptionConfiguration": rules}


def _find_logging(properties: Properties) -> dict[str, Any] | None:
    enabled = properties[ANSWER].get("LoggingEnabled")
    if not enabled:
        return None
    names = {"TargetBucket": "DestinationBucketName", "TargetPrefix": "LogFilePrefix"}
    return {names.get(name, name): value for name, value in enabled.items() if value not in (None, "")}


def _find_website(properties: Properties) -> dict[str, Any]:
    found = dict(_rename(properties[ANSWER], {"Redirect": "RedirectRule", "Condition": "RoutingRuleCondition"}))
    if "IndexDocument" in found:
        found["IndexDocument"] = found["IndexDocument"]["Suffix"]
    if "ErrorDocument" in found:
        found["ErrorDocument"] = found["ErrorDocument"]["Key"]
    return found


_TARGETS: Final = (
    ("TopicConfigurations", "TopicConfigurations", "Topic", "TopicArn"),
    ("QueueConfigurations", "QueueConfigurations", "Queue", "QueueArn"),
    ("LambdaFunctionConfigurations", "LambdaConfigurations", "Function", "LambdaFunctionArn"),
)


def _find_notifications(properties: Properties) -> dict[str, Any]:
    answer = properties[ANSWER]
    found: dict[str, Any] = {}
    for member, name, target, arn in _TARGETS:
        configurations = [
            {target: one[arn], "Event": event, **_find_key_filter(one)}
            for one in answer.get(member) or ()
            for event in one["Events"]
        ]
        if configurations:
            found[name] = configurations
    if answer.get("EventBridgeConfiguration") is not None:
        found["EventBridgeConfiguration"] = {"EventBridgeEnabled": True}
    return found


def _find_key_filter(configuration: Mapping[str, Any]) -> dict[str, Any]:
    rules = find_path(configuration, "Filter.Key.FilterRules")
    return {"Filter": {"S3Key": {"Rules": rules}}} if rules else {}


def _find_lifecycle(properties: Properties) -> dict[str, Any]:
    return {"Rules": [_find_rule(rule) for rule in properties[ANSWER].get("Rules") or ()]}


def _find_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: rule[name] for name in ("Status", "AbortIncompleteMultipartUpload") if rule.get(name)}
    found["Id"] = rule.get("ID")
    for member, name in (
        ("Days", "ExpirationInDays"),
        ("Date", "ExpirationDate"),
        ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
    ):
        if (value := find_path(rule, f"Expiration.{member}")) is not None:
            found[name] = value
    if rule.get("Transitions"):
        found["Transitions"] = _rename(rule["Transitions"], {"Days": "TransitionInDays", "Date": "TransitionDate"})
    if rule.get("NoncurrentVersionTransitions"):
        found["NoncurrentVersionTransitions"] = _rename(
            rule["NoncurrentVersionTransitions"], {"NoncurrentDays": "TransitionInDays"}
        )
    if rule.get("NoncurrentVersionExpiration"):
        found["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    found |= _find_filter(rule)
    if rule.get("Prefix"):
        found["Prefix"] = rule["Prefix"]
    return found


def _find_filter(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that the filter of a rule or a configuration is made of."""
    chosen = rule.get("Filter") or {}
    chosen = {**chosen, **(chosen.get("And") or {})}
    names = ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "AccessPointArn")
    found = {name: chosen[name] for name in names if chosen.get(name) not in (None, "")}
    tags = chosen.get("Tags") or ([chosen["Tag"]] if chosen.get("Tag") else [])
    return found | ({"TagFilters": tags} if tags else {})


def _read_configurations(kind: str) -> Read:
    """Return the reading of a bucket's configurations, each with an id."""

    def find(properties: Properties) -> list[dict[str, Any]]:
        found = properties[ANSWER].get(f"{kind}ConfigurationList") or ()
        return [_find_configuration(one) for one in found]

    return _read(f"ListBucket{kind}Configurations", f"{kind}Configurations", find)


def _find_configuration(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the names of its members in the schema."""
    found = {name: value for name, value in given.items() if name not in ("Filter", "IsEnabled", "Schedule")}
    found |= _find_filter(given)
    if "IsEnabled" in given:
        found["Enabled"] = given["IsEnabled"]
        found["ScheduleFrequency"] = given["Schedule"]["Frequency"]
    names = {"Bucket": "BucketArn", "AccountId": "BucketAccountId"}
    for place in (found, find_path(found, "StorageClassAnalysis.DataExport")):
        if place and place.get("Destination"):
            place["Destination"] = _rename(place["Destination"]["S3BucketDestination"], names)
    return found


def _read(operation: str, name: str, source: Any) -> Read:
    """Return the reading of one property of a bucket."""
    return Read(Call(operation, _BUCKET), {name: source}, is_exact=True)


READINGS: Final = {
    "AWS::S3::Bucket": Reading(
        Read(Call("HeadBucket", _BUCKET), {"BucketName": "{BucketName}"}, is_exact=True),
        (
            _read("GetBucketOwnershipControls", "OwnershipControls", "OwnershipControls"),
            _read("GetPublicAccessBlock", "PublicAccessBlockConfiguration", "PublicAccessBlockConfiguration"),
            *(_read_configurations(kind) for kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")),
            _read("GetBucketAbac", "AbacStatus", "AbacStatus.Status"),
            _read("GetBucketVersioning", "VersioningConfiguration", ""),
            _read("GetBucketEncryption", "BucketEncryption", _find_encryption),
            _read(
                "GetBucketCors",
                "CorsConfiguration",
                _make_renaming(ExposeHeaders="ExposedHeaders", MaxAgeSeconds="MaxAge"),
            ),
            _read("GetBucketLifecycleConfiguration", "LifecycleConfiguration", _find_lifecycle),
            _read("GetBucketLogging", "LoggingConfiguration", _find_logging),
            _read("GetBucketNotificationConfiguration", "NotificationConfiguration", _find_notifications),
            _read("GetBucketWebsite", "WebsiteConfiguration", _find_website),
            _read("GetObjectLockConfiguration", "ObjectLockConfiguration", "ObjectLockConfiguration"),
            _read(
                "GetBucketAccelerateConfiguration",
                "AccelerateConfiguration",
                _make_renaming(Status="AccelerationStatus"),
            ),
            Read(
                Call("GetBucketReplication", _BUCKET),
                {"ReplicationConfiguration": _make_renaming(Tags="TagFilters", Tag="TagFilter", ID="Id")},
                root="ReplicationConfiguration",
                is_exact=True,
            ),
            _read("GetBucketTagging", "Tags", "TagSet"),
        ),
        Listing(Call("ListBuckets", {"BucketRegion": "{region}"}), properties={"BucketName": "Name"}),
    ),
    "AWS::S3::BucketPolicy": Reading(
        Read(Call("GetBucketPolicy", {"ExpectedBucketOwner": None}), {"PolicyDocument": "Policy"}, is_exact=True)
    ),
}
