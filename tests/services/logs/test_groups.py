"""Log groups, their streams, retention and tags."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.core.kernel.cloud import Config
from tests.refused import refused
from tests.services.logs.conftest import ACCOUNT, REGION, LocalLogs


def group_names(logs: Any, **params: Any) -> list[str]:
    pages = logs.get_paginator("describe_log_groups").paginate(**params, PaginationConfig={"PageSize": 2})
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]


def test_a_group_is_described(logs: Any) -> None:
    logs.create_log_group(logGroupName="/shop/orders", tags={"team": "a"})
    (group,) = logs.describe_log_groups()["logGroups"]
    assert time.time() * 1000 - group.pop("creationTime") < 60_000
    arn = group.pop("logGroupArn")
    assert arn.startswith("arn:aws:logs:")
    assert arn.endswith(":log-group:/shop/orders")
    assert group == {
        "logGroupName": "/shop/orders",
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
    }


def test_groups_are_listed_by_prefix_by_pattern_and_in_pages(logs: Any) -> None:
    names = ["/a/one", "/a/three", "/a/two", "/b", "/bone"]
    for name in reversed(names):
        logs.create_log_group(logGroupName=name)
    assert group_names(logs) == names
    assert group_names(logs, logGroupNamePrefix="/a/t") == ["/a/three", "/a/two"]
    assert group_names(logs, logGroupNamePattern="one") == ["/a/one", "/bone"]
    listed = logs.list_log_groups(logGroupNamePattern="^/bone|three")["logGroups"]
    assert [one["logGroupName"] for one in listed] == ["/a/three", "/bone"]
    assert refused(logs.describe_log_groups, logGroupNamePattern="a", logGroupNamePrefix="b")[0] == (
        "InvalidParameterException"
    )
    assert refused(logs.describe_log_groups, nextToken="???")[0] == "InvalidParameterException"


def test_a_deleted_group_is_gone_with_what_it_had(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": now, "message": "m"}])
    logs.delete_log_group(logGroupName="g")
    assert refused(logs.delete_log_group, logGroupName="g") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    logs.create_log_group(logGroupName="g")
    assert logs.describe_log_streams(logGroupName="g")["logStreams"] == []
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    assert logs.get_log_events(logGroupName="g", logStreamName="s")["events"] == []


def test_nothing_is_left_of_a_group_that_is_deleted(tmp_path: Path) -> None:
    """Nor of a deleted stream; nobody publishes the metrics of its events."""
    local = LocalLogs(tmp_path, Config(data=tmp_path, services=frozenset({"logs"}), durable=False))
    local.cloud.played["lambda"] = lambda call: {}
    policy = {
        "Name": "p",
        "Version": "2021-06-01",
        "Statement": [
            {
                "DataIdentifier": ["arn:aws:dataprotection::aws:data-identifier/IpAddress"],
                "Operation": {"Audit": {"FindingsDestination": {}}},
            },
            {
                "DataIdentifier": ["arn:aws:dataprotection::aws:data-identifier/IpAddress"],
                "Operation": {"Deidentify": {"MaskConfig": {}}},
            },
        ],
    }
    metric = {"metricName": "M", "metricNamespace": "N", "metricValue": "1"}
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    filtered = {"logGroupName": "g", "filterName": "f", "filterPattern": ""}
    try:
        local.call("CreateLogGroup", logGroupName="g")
        local.call("DeleteLogGroup", logGroupName="g")
        # Numbers that are given go on.
        empty = local.rows()
        local.call("CreateLogGroup", logGroupName="g", tags={"a": "b"})
        local.call("PutMetricFilter", **filtered, metricTransformations=[metric])
        local.call("PutSubscriptionFilter", **filtered, destinationArn=function)
        local.call("PutDataProtectionPolicy", logGroupIdentifier="g", policyDocument=json.dumps(policy))
        local.call("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
        for stream in ("s", "t"):
            local.call("CreateLogStream", logGroupName="g", logStreamName=stream)
            events = [{"timestamp": local.millis + at * 1000, "message": "10.0.0.1"} for at in range(150)]
            local.call("PutLogEvents", logGroupName="g", logStreamName=stream, logEvents=events)
        local.call("DeleteLogStream", logGroupName="g", logStreamName="s")
        local.call("DeleteLogGroup", logGroupName="g")
        local.until(lambda: local.rows() == empty)
    finally:
        local.close()


def test_a_name_is_taken_once_and_has_to_be_one(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    assert refused(logs.create_log_group, logGroupName="g") == (
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )
    code, message = refused(logs.create_log_group, logGroupName="a b")
    assert code == "InvalidParameterException"
    assert message.startswith("1 validation error detected: Value 'a b' at 'logGroupName'")
    code, message = refused(logs.filter_log_events, logGroupIdentifier="arn:aws:logs:us-east-1:1:log-group:g:*")
    assert code == "InvalidParameterException"
    assert message.startswith("1 validation error detected: Value at 'logGroupIdentifier' failed to satisfy")


def test_a_protected_group_is_not_deleted(logs: Any) -> None:
    logs.create_log_group(logGroupName="g", deletionProtectionEnabled=True)
    assert logs.describe_log_groups()["logGroups"][0]["deletionProtectionEnabled"] is True
    assert refused(logs.delete_log_group, logGroupName="g")[0] == "ValidationException"
    logs.put_log_group_deletion_protection(logGroupIdentifier="g", deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName="g")


def test_what_is_not_built_is_refused(logs: Any) -> None:
    with pytest.raises(ClientError) as caught:
        logs.create_log_group(logGroupName="g", logGroupClass="INFREQUENT_ACCESS")
    assert caught.value.response["Error"]["Code"] == "NotImplemented"


def test_retention_is_set_and_taken_away(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    logs.put_retention_policy(logGroupName="g", retentionInDays=7)
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 7
    logs.delete_retention_policy(logGroupName="g")
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
    assert refused(logs.put_retention_policy, logGroupName="g", retentionInDays=2)[0] == "InvalidParameterException"
    assert refused(logs.put_retention_policy, logGroupName="x", retentionInDays=1)[0] == "ResourceNotFoundException"


def test_tags(logs: Any) -> None:
    logs.create_log_group(logGroupName="g", tags={"a": "1"})
    arn = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"b": "2", "c": "3"})
    logs.untag_resource(resourceArn=arn, tagKeys=["a", "z"])
    logs.untag_log_group(logGroupName="g", tags=["c"])
    logs.tag_log_group(logGroupName="g", tags={"d": "4"})
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2", "d": "4"}
    assert logs.list_tags_log_group(logGroupName="g")["tags"] == {"b": "2", "d": "4"}
    many = {str(number): "" for number in range(49)}
    assert refused(logs.tag_resource, resourceArn=arn, tags=many)[0] == "TooManyTagsException"
    assert refused(logs.tag_resource, resourceArn="g", tags={"a": ""})[0] == "InvalidParameterException"
    assert refused(logs.tag_resource, resourceArn=f"{arn}x", tags={"a": ""})[0] == "ResourceNotFoundException"


def stream_names(logs: Any, **params: Any) -> list[str]:
    pages = logs.get_paginator("describe_log_streams").paginate(
        logGroupName="g", **params, PaginationConfig={"PageSize": 2}
    )
    return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]


def test_streams_are_listed_by_name_and_by_their_last_events(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    now = int(time.time() * 1000)
    for name, ago in (("b/1", 3), ("a", 5), ("b/2", 1), ("b/3", None)):
        logs.create_log_stream(logGroupName="g", logStreamName=name)
        if ago is not None:
            event = {"timestamp": now - ago * 1000, "message": "m"}
            logs.put_log_events(logGroupName="g", logStreamName=name, logEvents=[event])
    assert stream_names(logs) == ["a", "b/1", "b/2", "b/3"]
    assert stream_names(logs, descending=True) == ["b/3", "b/2", "b/1", "a"]
    assert stream_names(logs, logStreamNamePrefix="b/") == ["b/1", "b/2", "b/3"]
    assert stream_names(logs, logStreamNamePrefix="b/", descending=True) == ["b/3", "b/2", "b/1"]
    assert stream_names(logs, orderBy="LastEventTime", descending=True) == ["b/2", "b/1", "a", "b/3"]
    assert refused(logs.describe_log_streams, logGroupName="g", orderBy="LastEventTime", logStreamNamePrefix="b") == (
        "InvalidParameterException",
        "Cannot order by LastEventTime with a logStreamNamePrefix.",
    )


def test_a_stream_is_described_and_deleted(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    assert refused(logs.create_log_stream, logGroupName="g", logStreamName="s")[0] == "ResourceAlreadyExistsException"
    assert refused(logs.create_log_stream, logGroupName="x", logStreamName="s")[0] == "ResourceNotFoundException"
    now = int(time.time() * 1000)
    events = [{"timestamp": now - 5, "message": "one"}, {"timestamp": now, "message": "two"}]
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
    (stream,) = logs.describe_log_streams(logGroupName="g")["logStreams"]
    assert stream["arn"].endswith(":log-group:g:log-stream:s")
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (now - 5, now)
    assert now <= stream["lastIngestionTime"] < now + 60_000
    assert logs.describe_log_groups()["logGroups"][0]["storedBytes"] == 6 + 2 * 26
    logs.delete_log_stream(logGroupName="g", logStreamName="s")
    assert refused(logs.delete_log_stream, logGroupName="g", logStreamName="s") == (
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )
    assert logs.describe_log_groups()["logGroups"][0]["storedBytes"] == 0
