"""Event source mappings: what may be mapped, and how."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.services.lambda_.cloud import FunctionCloud

INVALID = "InvalidParameterValueException"
_WAIT_SECONDS = 20


class MappingCloud(FunctionCloud):
    """A function f, and what it may be mapped to."""

    def queue(self, name: str = "q", **attributes: str) -> str:
        """Create a queue; return its ARN."""
        sqs = self.aws.client("sqs")
        sqs.create_queue(QueueName=name, Attributes=attributes)
        return f"arn:aws:sqs:us-east-1:{self.account}:{name}"

    def stream(self) -> str:
        """Create a table; return the ARN of its stream."""
        table = self.aws.client("dynamodb").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        arn: str = table["TableDescription"]["LatestStreamArn"]
        return arn

    def settled(self, id: str) -> Any:
        """Return a mapping once it is what it is to be."""
        until = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < until:
            shown = self.client.get_event_source_mapping(UUID=id)
            if shown["State"] in ("Enabled", "Disabled"):
                return shown
        raise AssertionError(f"the mapping stays {shown['State']}")


@pytest.fixture
def mapped(cloud: FunctionCloud) -> MappingCloud:
    """A function f, and what it may be mapped to."""
    cloud.function(wait=False)
    return MappingCloud(cloud.aws)


def test_a_queue_is_mapped(mapped: MappingCloud) -> None:
    queue = mapped.queue()
    pattern = json.dumps({"body": {"kind": ["order"]}})
    made = mapped.client.create_event_source_mapping(
        EventSourceArn=queue,
        FunctionName="f",
        BatchSize=5,
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 2},
        Tags={"team": "shop"},
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert made["State"] == "Creating"
    shown = mapped.settled(made["UUID"])
    assert {key: shown[key] for key in shown if key not in ("LastModified", "ResponseMetadata")} == {
        "UUID": made["UUID"],
        "EventSourceMappingArn": f"{mapped.prefix}:event-source-mapping:{made['UUID']}",
        "EventSourceArn": queue,
        "FunctionArn": mapped.arn(),
        "BatchSize": 5,
        "MaximumBatchingWindowInSeconds": 0,
        "State": "Enabled",
        "StateTransitionReason": "USER_INITIATED",
        "FilterCriteria": {"Filters": [{"Pattern": pattern}]},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 2},
    }
    arn = made["EventSourceMappingArn"]
    assert mapped.client.list_tags(Resource=arn)["Tags"] == {"team": "shop"}


def test_a_stream_is_mapped(mapped: MappingCloud) -> None:
    stream = mapped.stream()
    made = mapped.client.create_event_source_mapping(
        EventSourceArn=stream,
        FunctionName="f",
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=2,
        BisectBatchOnFunctionError=True,
        Enabled=False,
    )
    shown = mapped.settled(made["UUID"])
    assert (shown["State"], made["FunctionResponseTypes"]) == ("Disabled", [])
    assert (shown["BatchSize"], shown["MaximumRetryAttempts"], shown["MaximumRecordAgeInSeconds"]) == (100, 2, -1)
    assert (shown["BisectBatchOnFunctionError"], shown["DestinationConfig"]) == (True, {"OnFailure": {}})


def test_a_mapping_is_changed_and_deleted(mapped: MappingCloud) -> None:
    client, queue = mapped.client, mapped.queue()
    mapped.function("g", wait=False)
    id = client.create_event_source_mapping(EventSourceArn=queue, FunctionName="f")["UUID"]
    mapped.settled(id)
    changed = client.update_event_source_mapping(UUID=id, FunctionName="g", Enabled=False, BatchSize=3)
    assert (changed["State"], changed["FunctionArn"]) == ("Disabling", mapped.arn("g"))
    assert mapped.settled(id)["State"] == "Disabled"
    again = client.create_event_source_mapping(EventSourceArn=queue, FunctionName="f")["UUID"]
    assert len(client.list_event_source_mappings(EventSourceArn=queue)["EventSourceMappings"]) == 2
    (found,) = client.list_event_source_mappings(FunctionName="f")["EventSourceMappings"]
    assert found["UUID"] == again
    assert client.delete_event_source_mapping(UUID=id)["State"] == "Deleting"
    until = time.monotonic() + _WAIT_SECONDS
    while client.list_event_source_mappings(FunctionName="g")["EventSourceMappings"]:
        assert time.monotonic() < until, "it is not gone"
    for operation in ("get_event_source_mapping", "update_event_source_mapping", "delete_event_source_mapping"):
        assert mapped.refused(operation, UUID=id) == (
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
            404,
        )


def test_a_source_is_mapped_to_a_function_once(mapped: MappingCloud) -> None:
    queue = mapped.queue()
    id = mapped.client.create_event_source_mapping(EventSourceArn=queue, FunctionName="f")["UUID"]
    code, message, status = mapped.refused("create_event_source_mapping", EventSourceArn=queue, FunctionName="f")
    assert (code, status) == ("ResourceConflictException", 409)
    assert message == (
        f'An event source mapping with SQS arn (" {queue} ") and function (" f ") already exists. '
        f"Please update or delete the existing mapping with UUID {id}"
    )


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"FunctionName": "none"}, "ResourceNotFoundException", "Function not found: "),
        ({"BatchSize": 11}, INVALID, "Maximum batch window in seconds must be greater than 0 if maximum batch size is"),
        ({"StartingPosition": "LATEST"}, INVALID, "StartingPosition is not valid for SQS event sources."),
        ({"ParallelizationFactor": 2}, INVALID, "Unsupported parameter ParallelizationFactor"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, INVALID, "Invalid filter pattern definition."),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}}, INVALID, "exceeds the limit of 5"),
        ({"EventSourceArn": "arn:aws:sns:us-east-1:123456789012:t"}, INVALID, "Unrecognized event source"),
        ({"EventSourceArn": "arn:aws:dynamodb:us-east-1:123456789012:table/t"}, INVALID, "Unrecognized event source"),
        ({"EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, "NotImplemented", "kinesis"),
        ({"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:"}, INVALID, "Unrecognized event source"),
        ({"EventSourceArn": None}, INVALID, "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:none"}, INVALID, "Error occurred while ReceiveMessage"),
        ({"Topics": ["orders"]}, "NotImplemented", "Topics"),
        ({"TumblingWindowInSeconds": 1}, INVALID, "Unsupported parameter TumblingWindowInSeconds"),
        ({"MaximumRetryAttempts": 0}, INVALID, "Unsupported parameter MaximumRetryAttempts"),
        ({"MetricsConfig": {"Metrics": ["EventCount"]}}, "NotImplemented", "MetricsConfig"),
    ],
)
def test_what_cannot_be_mapped_is_refused(mapped: MappingCloud, given: dict[str, Any], code: str, message: str) -> None:
    params = {"EventSourceArn": mapped.queue(), "FunctionName": "f", **given}
    params = {name: value for name, value in params.items() if value is not None}
    found, text, _ = mapped.refused("create_event_source_mapping", **params)
    assert (found, message in text) == (code, True), text


def test_a_windows_records_come_one_batch_at_a_time(mapped: MappingCloud) -> None:
    given = {"EventSourceArn": mapped.stream(), "FunctionName": "f", "StartingPosition": "LATEST"}
    both = {"TumblingWindowInSeconds": 60, "ParallelizationFactor": 2}
    code, message, _ = mapped.refused("create_event_source_mapping", **given, **both)
    assert (code, "ParallelizationFactor must be 1" in message) == (INVALID, True)


def test_a_fifo_queue_has_small_batches(mapped: MappingCloud) -> None:
    queue = mapped.queue("q.fifo", FifoQueue="true")
    base = {"EventSourceArn": queue, "FunctionName": "f"}
    assert mapped.refused("create_event_source_mapping", **base, BatchSize=11)[0] == INVALID
    window = {**base, "MaximumBatchingWindowInSeconds": 1}
    assert mapped.refused("create_event_source_mapping", **window)[:2] == (
        INVALID,
        "Batching window is not supported for FIFO queues.",
    )


def test_a_queue_hides_messages_for_as_long_as_the_function_may_take(mapped: MappingCloud) -> None:
    queue = mapped.queue(VisibilityTimeout="2")
    code, message, _ = mapped.refused("create_event_source_mapping", EventSourceArn=queue, FunctionName="f")
    assert (code, message) == (INVALID, "Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Value null at 'startingPosition' failed to satisfy constraint: Member must not be null."),
        ({"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 0}, "Unsupported starting position"),
        ({"StartingPosition": "LATEST", "ScalingConfig": {"MaximumConcurrency": 2}}, "parameter ScalingConfig"),
        ({"StartingPosition": "LATEST", "MaximumRecordAgeInSeconds": 59}, "MaximumRecordAgeInSeconds"),
        (
            {"StartingPosition": "LATEST", "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:::q.fifo"}}},
            "The destination ARN arn:aws:sqs:::q.fifo is invalid.",
        ),
        (
            {"StartingPosition": "LATEST", "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:::"}}},
            "The destination ARN arn:aws:sqs::: is invalid.",
        ),
    ],
)
def test_what_is_no_way_to_map_a_stream_is_refused(mapped: MappingCloud, given: dict[str, Any], message: str) -> None:
    stream = f"arn:aws:dynamodb:us-east-1:{mapped.account}:table/t/stream/2026-01-01T00:00:00.000"
    code, text, _ = mapped.refused("create_event_source_mapping", EventSourceArn=stream, FunctionName="f", **given)
    assert (code, message in text) == (INVALID, True), text
