"""Pipes from tables' streams."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest

from cloudlet.core.aws.polling.source_record import Record
from cloudlet.services.pipes import execution, targets
from cloudlet.services.pipes.pipe import Pipe
from cloudlet.services.pipes.poller import PipePoller
from tests.in_process import MovableClock
from tests.services.pipes.cloud import PipesCloud
from tests.standing import eventually

_KEYS = {
    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
}


_STREAM = "arn:aws:dynamodb:us-east-1:111111111111:table/table/stream/2030-01-01T00:00:00.000"


def _stored(**parameters: Any) -> Pipe:
    """Return a pipe from a stream as it is stored."""
    given = {"DynamoDBStreamParameters": {"StartingPosition": "LATEST", "BatchSize": 10, **parameters}}
    role, queue = "arn:aws:iam::111111111111:role/r", "arn:aws:sqs:us-east-1:111111111111:q"
    place = ("111111111111", "us-east-1", "p", "id", _STREAM, "", queue, role)
    return Pipe(*place, given, {}, {}, "", "RUNNING", "RUNNING", 0.0, 0.0, 0.0)


class Table:
    """A table with a stream."""

    def __init__(self, cloud: PipesCloud) -> None:
        self._client: Any = cloud.aws.client("dynamodb")
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        created = self._client.create_table(
            TableName="table", BillingMode="PAY_PER_REQUEST", StreamSpecification=stream, **_KEYS
        )
        self.stream: str = created["TableDescription"]["LatestStreamArn"]

    def expire_by(self, attribute: str) -> None:
        self._client.update_time_to_live(
            TableName="table", TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute}
        )

    def put(self, key: str, **item: Any) -> None:
        self._client.put_item(TableName="table", Item={"k": {"S": key}, **item})


def _source(position: str = "TRIM_HORIZON", **parameters: Any) -> dict[str, Any]:
    return {"SourceParameters": {"DynamoDBStreamParameters": {"StartingPosition": position, **parameters}}}


def test_a_target_gets_changes_of_items_in_their_order(cloud: PipesCloud) -> None:
    table = Table(cloud)
    url, arn = cloud.queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    parameters = {
        "SqsQueueParameters": {"MessageGroupId": "$.dynamodb.Keys.k.S"},
        "InputTemplate": '{"k": <$.dynamodb.Keys.k.S>, "n": <$.dynamodb.NewImage.n.N>}',
    }
    table.put("a", n={"N": "0"})
    cloud.pipe(arn, source=table.stream, TargetParameters=parameters, **_source(BatchSize=3))
    for number in range(1, 10):
        for key in ("a", "b"):
            table.put(key, n={"N": str(number)})
    came = cloud.bodies(url, 19)
    assert [each["n"] for each in came if each["k"] == "a"] == [str(number) for number in range(10)]
    assert [each["n"] for each in came if each["k"] == "b"] == [str(number) for number in range(1, 10)]


def test_an_event_is_what_the_stream_has(cloud: PipesCloud) -> None:
    table = Table(cloud)
    url, arn = cloud.queue()
    table.put("before")
    pattern = json.dumps({"eventName": ["INSERT"], "dynamodb": {"NewImage": {"kind": {"S": ["order"]}}}})
    source = _source("LATEST")
    source["SourceParameters"]["FilterCriteria"] = {"Filters": [{"Pattern": pattern}]}
    cloud.pipe(arn, source=table.stream, **source)
    table.put("a", kind={"S": "bill"})
    table.put("b", kind={"S": "order"}, raw={"B": b"\x00\xff"})
    (event,) = cloud.bodies(url)
    assert (event["eventSource"], event["eventSourceARN"], event["eventName"]) == (
        "aws:dynamodb",
        table.stream,
        "INSERT",
    )
    assert event["dynamodb"]["NewImage"] == {"k": {"S": "b"}, "kind": {"S": "order"}, "raw": {"B": "AP8="}}
    assert event["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert cloud.left(url) == 0


def test_an_event_tells_that_an_item_has_expired(cloud: PipesCloud) -> None:
    table = Table(cloud)
    table.expire_by("until")
    url, arn = cloud.queue()
    pattern = json.dumps({"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}})
    source = _source()
    source["SourceParameters"]["FilterCriteria"] = {"Filters": [{"Pattern": pattern}]}
    cloud.pipe(arn, source=table.stream, **source)
    table.put("a", until={"N": str(int(time.time()) - 60)})
    (event,) = cloud.bodies(url)
    assert (event["eventName"], event["dynamodb"]["Keys"]) == ("REMOVE", {"k": {"S": "a"}})
    assert event["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def test_a_pipe_goes_on_where_it_was_stopped(cloud: PipesCloud) -> None:
    table = Table(cloud)
    url, arn = cloud.queue()
    cloud.pipe(
        arn,
        source=table.stream,
        TargetParameters={"InputTemplate": "<$.dynamodb.Keys.k.S>"},
        **_source(ParallelizationFactor=4),
    )
    table.put("a")
    assert cloud.bodies(url) == ["a"]
    cloud.pipes.stop_pipe(Name="p")
    cloud.settled()
    table.put("b")
    cloud.pipes.start_pipe(Name="p")
    assert cloud.bodies(url) == ["b"]


def test_what_fails_too_often_is_told_to_the_dead_letter_queue(cloud: PipesCloud) -> None:
    table = Table(cloud)
    dead, dead_arn = cloud.queue("dead")
    url, arn = cloud.queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    group = {"SqsQueueParameters": {"MessageGroupId": "$.dynamodb.NewImage.group.S"}}
    own = cloud.pipe(
        arn,
        source=table.stream,
        TargetParameters={**group, "InputTemplate": "<$.dynamodb.Keys.k.S>"},
        # One by one: a FIFO queue refuses a batch as a whole in which one has no group.
        **_source(BatchSize=1, MaximumRetryAttempts=0, DeadLetterConfig={"Arn": dead_arn}),
    )
    table.put("a")
    table.put("b", group={"S": "g"})
    assert cloud.bodies(url) == ["b"]
    (letter,) = cloud.bodies(dead)
    assert letter["context"] == {"partnerResourceArn": own, "condition": "RetryAttemptsExhausted"}
    assert letter["DDBStreamBatchInfo"]["batchSize"] == 1
    assert letter["DDBStreamBatchInfo"]["streamArn"] == table.stream


def test_what_no_target_can_be_given_is_not_tried_for_ever(cloud: PipesCloud) -> None:
    """Its time is a number that is longer than Python reads."""
    table = Table(cloud)
    dead, dead_arn = cloud.queue("dead")
    cloud.aws.client("logs").create_log_group(logGroupName="g")
    path = {"Timestamp": "$.dynamodb.NewImage.at.S"}
    cloud.pipe(
        f"arn:aws:logs:us-east-1:{cloud.account}:log-group:g",
        source=table.stream,
        TargetParameters={"CloudWatchLogsParameters": path},
        **_source(MaximumRetryAttempts=0, DeadLetterConfig={"Arn": dead_arn}),
    )
    table.put("a", at={"S": "1" * 5000})
    (letter,) = cloud.bodies(dead)
    assert letter["context"]["condition"] == "RetryAttemptsExhausted"


def test_a_fault_of_ours_counts_as_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> list[str]:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(targets, "give", broken)
    pipe = _stored()
    service = SimpleNamespace(namespace="AWS/EventBridge/Pipes")
    cloud = SimpleNamespace(has=lambda name: True)
    block: Any = SimpleNamespace(clock=MovableClock(), service=service, cloud=cloud, attached={})
    event = Record("1", {"eventID": "1"})
    outcome = asyncio.run(execution.execute(block, pipe, [event]))
    assert outcome == ([event], "InternalFailure: a fault")


@pytest.mark.parametrize(("seconds", "oldest"), [(None, 86_400), (-1, 86_400), (60, 60), (604_800, 86_400)])
def test_a_record_is_tried_until_it_leaves_the_stream_at_the_latest(seconds: int | None, oldest: int) -> None:
    asked = {} if seconds is None else {"MaximumRecordAgeInSeconds": seconds}
    nothing: Any = SimpleNamespace(service=SimpleNamespace(name="pipes"))
    assert PipePoller(nothing, _stored(**asked), nothing).source.maximum_age == oldest


def test_a_batch_that_fails_is_tried_again_until_the_target_is_there(cloud: PipesCloud) -> None:
    table = Table(cloud)
    for number in range(5):
        table.put(str(number))
    bisect = _source(OnPartialBatchItemFailure="AUTOMATIC_BISECT")
    cloud.pipe(f"arn:aws:sqs:us-east-1:{cloud.account}:later", source=table.stream, **bisect)
    url, _ = cloud.queue("later")
    came = {event["dynamodb"]["Keys"]["k"]["S"] for event in cloud.bodies(url, 5)}
    assert came == {str(number) for number in range(5)}


def test_records_that_are_too_old_are_told_to_a_topic(cloud: PipesCloud) -> None:
    table = Table(cloud)
    dead, dead_arn = cloud.queue("dead")
    sns = cloud.aws.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=dead_arn, Attributes=raw)
    table.put("a")
    old = _source(MaximumRecordAgeInSeconds=1, DeadLetterConfig={"Arn": topic})
    cloud.pipe(f"arn:aws:sqs:us-east-1:{cloud.account}:nowhere", source=table.stream, **old)
    (letter,) = cloud.bodies(dead)
    assert letter["context"]["condition"] == "MaximumRecordAgeExceeded"


def test_a_stream_that_is_not_there_makes_no_pipe(cloud: PipesCloud) -> None:
    _, arn = cloud.queue()
    stream = f"arn:aws:dynamodb:us-east-1:{cloud.account}:table/table/stream/2030-01-01T00:00:00.000"
    cloud.pipes.create_pipe(Name="p", Source=stream, Target=arn, RoleArn=cloud.role, **_source())
    assert eventually(cloud.settled)["CurrentState"] == "CREATE_FAILED"
