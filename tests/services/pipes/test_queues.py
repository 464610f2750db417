"""Pipes from queues: filters, templates, targets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from cloudlet.core.aws.polling import filtering
from cloudlet.core.aws.polling.source_record import Record
from cloudlet.testing.server import Aws
from tests.services.pipes.cloud import PipesCloud
from tests.services.sns.cloud import ACCOUNT, local_sns
from tests.standing import eventually

_PATIENCE_SECONDS = 20


def test_a_target_gets_the_event_of_a_message_which_is_deleted_then(cloud: PipesCloud) -> None:
    url, arn = cloud.queue()
    cloud.pipe(arn)
    cloud.send("hi", MessageAttributes={"a": {"DataType": "String", "StringValue": "x"}})
    (event,) = cloud.bodies(url)
    assert (event["body"], event["eventSource"], event["eventSourceARN"]) == ("hi", "aws:sqs", cloud.source_arn)
    assert (event["awsRegion"], event["attributes"]["ApproximateReceiveCount"]) == ("us-east-1", "1")
    assert event["messageAttributes"]["a"]["stringValue"] == "x"
    assert eventually(lambda: cloud.left(cloud.source), lambda left: left == 0) == 0


@pytest.mark.parametrize(
    ("patterns", "passing"),
    [
        ([{"body": {"kind": ["order"]}}], ["order"]),
        ([{"body": {"kind": [{"exists": False}]}}], ["other"]),
        ([{"body": {"n": [{"numeric": [">", 5]}]}}], ["number"]),
        ([{"body": ["plain"]}], ["plain"]),
        ([{"body": ["order"]}], []),
        ([{"messageAttributes": {"a": {"stringValue": ["number"]}}}], ["number"]),
        ([{"body": ["plain"]}, {"body": {"kind": ["order"]}}], ["order", "plain"]),
    ],
)
def test_what_does_not_pass_a_filter_is_deleted(cloud: PipesCloud, patterns: list[Any], passing: list[str]) -> None:
    url, arn = cloud.queue()
    bodies = {"order": {"kind": "order"}, "other": {"x": 1}, "number": {"n": 7, "kind": "x"}, "plain": "plain"}
    for name, body in bodies.items():
        cloud.send(body, MessageAttributes={"a": {"DataType": "String", "StringValue": name}})
    filters = {"FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}}
    template = {"InputTemplate": "<$.messageAttributes.a.stringValue>"}
    cloud.pipe(arn, SourceParameters=filters, TargetParameters=template)
    eventually(lambda: cloud.left(cloud.source), lambda left: left == 0)
    assert sorted(cloud.bodies(url, len(passing))) == passing
    assert cloud.left(url) == 0


def test_large_messages_are_filtered_while_others_are_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another request is answered while a large batch is still looked at."""
    began, answered = Event(), Event()
    passing = filtering._passing

    def slow(batch: list[Record], passes: Callable[[Record], bool]) -> list[Record]:
        began.set()
        assert answered.wait(_PATIENCE_SECONDS)
        return passing(batch, passes)

    monkeypatch.setattr(filtering, "_passing", slow)
    with local_sns(tmp_path) as local:
        source, _ = (local.call("CreateQueue", service="sqs", QueueName=name)["QueueUrl"] for name in ("in", "out"))
        body = json.dumps({"all": [{}] * 20_000, "n": 1}, separators=(",", ":"))
        local.call("SendMessage", service="sqs", QueueUrl=source, MessageBody=body)
        arn, role = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:", f"arn:aws:iam::{ACCOUNT}:role/r"
        patterns = [{"Pattern": json.dumps(each)} for each in ({"body": {"all": {"x": ["a"]}}}, {"body": {"n": [1]}})]
        filters = {"FilterCriteria": {"Filters": patterns}}
        named = {"Name": "p", "Source": f"{arn}in", "Target": f"{arn}out", "RoleArn": role, "SourceParameters": filters}
        local.call("CreatePipe", service="pipes", TargetParameters={"InputTemplate": "<$.body.n>"}, **named)
        local.until(began.is_set)
        assert len(local.call("ListQueues", service="sqs")["QueueUrls"]) == 2
        assert not answered.is_set()
        answered.set()
        bodies: list[str] = []

        def came() -> bool:
            messages = local.call("ReceiveMessage", service="sqs", QueueUrl=source[:-2] + "out").get("Messages") or ()
            bodies.extend(each["Body"] for each in messages)
            return bool(bodies)

        local.until(came)
        assert bodies == ["1"]


def test_what_a_template_would_make_too_long_is_not_made(cloud: PipesCloud) -> None:
    dead_url, dead = cloud.queue("dead")
    url, arn = cloud.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 1})
    attributes = {"VisibilityTimeout": "1", "RedrivePolicy": redrive}
    cloud.sqs.set_queue_attributes(QueueUrl=cloud.source, Attributes=attributes)
    cloud.pipe(arn, TargetParameters={"InputTemplate": "[" + ",".join(["<$.body.x>"] * 600) + "]"})
    cloud.send({"x": "a" * 30_000})
    assert len(cloud.bodies(dead_url)) == 1
    assert cloud.left(url) == 0


def test_events_that_are_too_large_together_come_one_by_one(cloud: PipesCloud, aws: Aws) -> None:
    events = aws.client("events")
    url, arn = cloud.queue()
    events.put_rule(Name="r", EventPattern='{"source":["shop"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn, "InputPath": "$.detail.n"}])
    for number in range(4):
        cloud.send({"n": number, "text": "x" * 400_000})
    bus = {"EventBridgeEventBusParameters": {"Source": "shop", "DetailType": "d"}, "InputTemplate": "<$.body>"}
    cloud.pipe(f"arn:aws:events:us-east-1:{aws.account}:event-bus/default", TargetParameters=bus)
    assert sorted(cloud.bodies(url, 4)) == [0, 1, 2, 3]
    assert eventually(lambda: cloud.left(cloud.source), lambda left: left == 0) == 0


def test_templates_are_filled(cloud: PipesCloud) -> None:
    url, arn = cloud.queue()
    template = (
        '{"id": "<$.messageId>", "k": <$.body.k>, "list": <$.body.list[0]>, "none": "<$.body.none>",'
        ' "pipe": "<aws.pipes.pipe-name>", "arn": <aws.pipes.source-arn>, "event": <aws.pipes.event.json>,'
        ' "at": "<aws.pipes.event.ingestion-time>", "to": "<aws.pipes.target-arn>"}'
    )
    cloud.pipe(arn, TargetParameters={"InputTemplate": template})
    cloud.send({"k": {"deep": 'quo"te'}, "list": [1, 2]})
    (got,) = cloud.bodies(url)
    assert got["k"] == {"deep": 'quo"te'}
    assert (got["list"], got["none"], got["pipe"], got["arn"], got["to"]) == (1, "", "p", cloud.source_arn, arn)
    assert got["event"]["messageId"] == got["id"]
    assert got["event"]["body"]["list"] == [1, 2]
    assert got["at"].endswith("Z")


def test_a_fifo_queue_gets_groups_and_ids_by_paths(cloud: PipesCloud) -> None:
    url, arn = cloud.queue("q.fifo", FifoQueue="true")
    own = {"MessageGroupId": "$.body.group", "MessageDeduplicationId": "$.messageId"}
    cloud.pipe(arn, TargetParameters={"SqsQueueParameters": own, "InputTemplate": "<$.body.n>"})
    for number in range(3):
        cloud.send({"group": "g", "n": number})
    messages = cloud.received(url, 3)
    assert {message["Attributes"]["MessageGroupId"] for message in messages} == {"g"}
    assert {message["Body"] for message in messages} == {"0", "1", "2"}


def test_a_fifo_source_keeps_its_order(cloud: PipesCloud) -> None:
    source, source_arn = cloud.queue("in.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    url, arn = cloud.queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for number in range(25):
        cloud.sqs.send_message(QueueUrl=source, MessageBody=str(number), MessageGroupId="g")
    parameters = {"SqsQueueParameters": {"MessageGroupId": "g"}, "InputTemplate": "<$.body>"}
    cloud.pipe(arn, source=source_arn, TargetParameters=parameters)
    bodies = [message["Body"] for message in cloud.received(url, 25)]
    assert bodies == [json.dumps(str(number)) for number in range(25)]


def test_a_topic_a_bus_and_a_log_group_get_events(cloud: PipesCloud) -> None:
    url, arn = cloud.queue()
    sns, events, logs = (cloud.aws.client(name) for name in ("sns", "events", "logs"))
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    cloud.pipe(topic, name="to-topic", TargetParameters={"InputTemplate": "to the topic: <$.body>"})
    cloud.send("x")
    assert cloud.received(url)[0]["Body"] == 'to the topic: "x"'
    cloud.pipes.delete_pipe(Name="to-topic")
    eventually(lambda: cloud.pipes.list_pipes()["Pipes"], lambda pipes: not pipes)

    events.put_rule(Name="r", EventPattern='{"source":["shop"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
    bus = {
        "Source": "$.body.from",
        "DetailType": "order",
        "Resources": ["$.eventSourceARN"],
        "Time": "$.body.when",
    }
    cloud.pipe(
        f"arn:aws:events:us-east-1:{cloud.account}:event-bus/default",
        name="to-bus",
        TargetParameters={"EventBridgeEventBusParameters": bus, "InputTemplate": '{"n": <$.body.n>}'},
    )
    cloud.send({"from": "shop", "n": 5, "when": "2030-01-02T03:04:05Z"})
    (event,) = cloud.bodies(url)
    assert (event["detail-type"], event["detail"], event["resources"]) == ("order", {"n": 5}, [cloud.source_arn])
    assert event["time"] == "2030-01-02T03:04:05Z"
    cloud.pipes.delete_pipe(Name="to-bus")
    eventually(lambda: cloud.pipes.list_pipes()["Pipes"], lambda pipes: not pipes)

    logs.create_log_group(logGroupName="g")
    cloud.pipe(
        f"arn:aws:logs:us-east-1:{cloud.account}:log-group:g",
        name="to-logs",
        TargetParameters={"CloudWatchLogsParameters": {"LogStreamName": "s"}, "InputTemplate": "<$.body.n>"},
    )
    cloud.send({"n": 5})
    found = eventually(lambda: logs.filter_log_events(logGroupName="g")["events"])
    assert (found[0]["message"], found[0]["logStreamName"]) == ("5", "s")


def test_a_batch_waits_for_its_window(cloud: PipesCloud) -> None:
    logs = cloud.aws.client("logs")
    logs.create_log_group(logGroupName="g")
    batch = {"BatchSize": 20, "MaximumBatchingWindowInSeconds": 60}
    cloud.pipe(
        f"arn:aws:logs:us-east-1:{cloud.account}:log-group:g",
        SourceParameters={"SqsQueueParameters": batch},
    )
    for _ in range(20):
        cloud.send("x")
    found = eventually(lambda: logs.filter_log_events(logGroupName="g")["events"], lambda events: len(events) == 20)
    assert len({event["ingestionTime"] for event in found}) == 1


def test_a_target_that_is_not_there_yet_gets_what_came_meanwhile(cloud: PipesCloud) -> None:
    """What a target does not take stays in the queue."""
    cloud.hurry()
    cloud.pipe(f"arn:aws:sqs:us-east-1:{cloud.account}:later")
    cloud.send("kept")
    eventually(lambda: cloud.left(cloud.source), lambda left: left == 1)
    url, _ = cloud.queue("later")
    (event,) = cloud.bodies(url)
    assert event["body"] == "kept"
    assert int(event["attributes"]["ApproximateReceiveCount"]) >= 1
    eventually(lambda: cloud.left(cloud.source), lambda left: left == 0)


def test_what_a_target_takes_in_part_is_deleted_in_part(cloud: PipesCloud) -> None:
    """A FIFO queue refuses what has a group with a blank; the rest of the batch is taken."""
    cloud.hurry()
    dead, dead_arn = cloud.queue("dead")
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    cloud.sqs.set_queue_attributes(QueueUrl=cloud.source, Attributes={"RedrivePolicy": policy})
    url, arn = cloud.queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for number in range(4):
        cloud.send({"n": number, "group": "no group" if number == 2 else "g"})
    parameters = {"SqsQueueParameters": {"MessageGroupId": "$.body.group"}, "InputTemplate": "<$.body.n>"}
    cloud.pipe(arn, TargetParameters=parameters)
    assert {message["Body"] for message in cloud.received(url, 3)} == {"0", "1", "3"}
    assert json.loads(cloud.received(dead)[0]["Body"])["n"] == 2
    assert cloud.left(url) == 0


@pytest.mark.parametrize("levels", [100, 900, 990, 5000])
def test_bodies_of_any_depth_hold_up_no_others(cloud: PipesCloud, levels: int) -> None:
    url, arn = cloud.queue()
    filters = {"FilterCriteria": {"Filters": [{"Pattern": '{"eventSource":["aws:sqs"]}'}]}}
    cloud.pipe(arn, TargetParameters={"InputTemplate": "<$.body>"}, SourceParameters=filters)
    cloud.send("[" * levels + "]" * levels)
    cloud.send("next")
    bodies = [message["Body"] for message in cloud.received(url)]
    while '"next"' not in bodies:
        bodies += [message["Body"] for message in cloud.received(url)]


@pytest.mark.parametrize("kind", ["events", "logs"])
def test_a_message_that_nothing_can_be_made_of_keeps_no_other_ones_of_its_batch_back(
    cloud: PipesCloud, kind: str
) -> None:
    good = int(time.time() * 1000) if kind == "logs" else "2030-06-01T09:00:00Z"
    bodies = [json.dumps({"at": at}) for at in ("no time", good)]
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    cloud.sqs.send_message_batch(QueueUrl=cloud.source, Entries=entries)
    logs = cloud.aws.client("logs")
    logs.create_log_group(logGroupName="g")
    group = f"arn:aws:logs:us-east-1:{cloud.account}:log-group:g"
    if kind == "logs":
        cloud.pipe(group, TargetParameters={"CloudWatchLogsParameters": {"Timestamp": "$.body.at"}})
    else:
        actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
        admitted = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": actions}
        policy = {"Version": "2012-10-17", "Statement": [{**admitted, "Resource": f"{group}:*"}]}
        logs.put_resource_policy(policyName="events", policyDocument=json.dumps(policy))
        events = cloud.aws.client("events")
        events.put_rule(Name="r", EventPattern='{"source":[{"prefix":"Pipe"}]}')
        events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": group}])
        bus = f"arn:aws:events:us-east-1:{cloud.account}:event-bus/default"
        cloud.pipe(bus, TargetParameters={"EventBridgeEventBusParameters": {"Time": "$.body.at"}})
    assert eventually(lambda: logs.filter_log_events(logGroupName="g")["events"])
    eventually(lambda: cloud.left(cloud.source), lambda left: left == 1)


def test_messages_that_are_too_much_for_a_log_group_together_come_in_parts(cloud: PipesCloud) -> None:
    logs = cloud.aws.client("logs")
    logs.create_log_group(logGroupName="g")
    now = int(time.time() * 1000)
    for number in range(6):
        body = json.dumps({"at": now - number % 2 * 2 * 86_400_000, "text": "x" * 200_000})
        cloud.send(body)
    at = {"Timestamp": "$.body.at"}
    parameters = {"CloudWatchLogsParameters": at, "InputTemplate": "<$.body.text>"}
    cloud.pipe(f"arn:aws:logs:us-east-1:{cloud.account}:log-group:g", TargetParameters=parameters)
    pages = logs.get_paginator("filter_log_events")

    def sizes() -> list[int]:
        return [len(event["message"]) for page in pages.paginate(logGroupName="g") for event in page["events"]]

    eventually(sizes, lambda found: found == [200_002] * 6)
    eventually(lambda: cloud.left(cloud.source), lambda left: left == 0)
