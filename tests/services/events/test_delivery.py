"""From PutEvents to the targets of the rules that match."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server
from tests.services.events.cloud import EventCloud
from tests.standing import eventually


def test_a_queue_gets_the_event_as_aws_shapes_it(cloud: EventCloud) -> None:
    url, arn = cloud.queue()
    cloud.rule({"Id": "1", "Arn": arn})
    answer = cloud.put({"id": 7}, Resources=["arn:aws:x"], Time=1_700_000_000)
    assert cloud.bodies(url) == [
        {
            "version": "0",
            "id": answer["EventId"],
            "detail-type": "order",
            "source": "shop",
            "account": cloud.account,
            "time": "2023-11-14T22:13:20Z",
            "region": "us-east-1",
            "resources": ["arn:aws:x"],
            "detail": {"id": 7},
        }
    ]


def test_only_what_matches_is_delivered_and_to_every_target(cloud: EventCloud) -> None:
    first, first_arn = cloud.queue("a")
    second, second_arn = cloud.queue("b")
    pattern = {"detail": {"total": [{"numeric": [">", 10]}]}}
    cloud.rule({"Id": "1", "Arn": first_arn}, {"Id": "2", "Arn": second_arn}, pattern=pattern)
    for total in (5, 11, 10, 12):
        cloud.put({"total": total})
    for url in (first, second):
        assert sorted(each["detail"]["total"] for each in cloud.bodies(url, 2)) == [11, 12]


def test_rules_ask_for_sources_in_many_ways(cloud: EventCloud) -> None:
    url, arn = cloud.queue()
    patterns = {
        "exact": {"source": ["shop", "bank"]},
        "prefix": {"source": [{"prefix": "sh"}]},
        "mixed": {"source": ["shop", {"suffix": "k"}]},
        "any": {"detail-type": ["order"]},
        "or": {"$or": [{"source": ["bank"]}, {"detail-type": ["x"]}]},
    }
    for name, pattern in patterns.items():
        cloud.rule({"Id": "1", "Arn": arn, "Input": json.dumps(name)}, name=name, pattern=pattern)
    cloud.put(Source="shop")
    assert sorted(cloud.bodies(url, 4)) == ["any", "exact", "mixed", "prefix"]
    cloud.put(Source="bank")
    assert sorted(cloud.bodies(url, 4)) == ["any", "exact", "mixed", "or"]
    cloud.put(Source="other")
    assert cloud.bodies(url) == ["any"]


def test_a_rule_that_is_disabled_matches_nothing(cloud: EventCloud) -> None:
    url, arn = cloud.queue()
    cloud.rule({"Id": "1", "Arn": arn})
    cloud.events.disable_rule(Name="r")
    cloud.put({"n": 1})
    cloud.events.enable_rule(Name="r")
    cloud.put({"n": 2})
    assert cloud.bodies(url)[0]["detail"] == {"n": 2}


def test_entries_fail_one_by_one(cloud: EventCloud) -> None:
    good = {"Source": "shop", "DetailType": "order", "Detail": "{}"}
    entries: list[Any] = [
        good,
        {**good, "Detail": "nonsense"},
        {**good, "Detail": "[1]"},
        {**good, "Source": "aws.ec2"},
        {"Source": "shop", "DetailType": "order"},
        {**good, "EventBusName": "absent"},
        {**good, "EventBusName": "arn:aws:events:eu-west-1:123456789012:event-bus/b"},
    ]
    answer = cloud.events.put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 5
    assert [each.get("ErrorCode") for each in answer["Entries"]] == [
        None,
        "MalformedDetail",
        "MalformedDetail",
        "NotAuthorizedForSourceException",
        "InvalidArgument",
        None,
        "InvalidArgument",
    ]


def test_deep_events_are_matched_and_too_deep_ones_are_refused(cloud: EventCloud) -> None:
    url, arn = cloud.queue()
    cloud.rule({"Id": "1", "Arn": arn, "InputPath": "$.detail"}, pattern={"detail": {"a": ["x"], "b": {"c": ["x"]}}})
    for levels, code in ((990, None), (1050, "MalformedDetail"), (100_000, "MalformedDetail")):
        deep = "[" * levels + '"x"' + "]" * levels
        answer = cloud.put(Detail=f'{{"a":{deep},"b":{{"c":"x"}}}}')
        assert answer.get("ErrorCode") == code
    assert cloud.received(url)[0]["Body"].startswith('{"a":[[[')


def test_a_queue_gets_the_trace_header(cloud: EventCloud) -> None:
    url, arn = cloud.queue()
    cloud.rule({"Id": "1", "Arn": arn})
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
    cloud.put(TraceHeader=trace)
    answer = cloud.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageSystemAttributeNames=["All"])
    assert answer["Messages"][0]["Attributes"]["AWSTraceHeader"] == trace


def test_entries_of_up_to_a_megabyte_are_taken_and_larger_ones_refused(cloud: EventCloud) -> None:
    url, arn = cloud.queue()
    cloud.rule({"Id": "1", "Arn": arn})
    cloud.put({"text": "x" * 1_000_000})
    assert len(cloud.bodies(url)[0]["detail"]["text"]) == 1_000_000
    with pytest.raises(cloud.events.exceptions.ClientError, match="over the limit") as caught:
        cloud.put({"text": "x" * 1_048_576})
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_topic_and_a_fifo_queue_are_targets(cloud: EventCloud) -> None:
    topic = cloud.sns.create_topic(Name="t")["TopicArn"]
    url, arn = cloud.queue()
    cloud.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    fifo, fifo_arn = cloud.queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    group = {"MessageGroupId": "g"}
    cloud.rule({"Id": "1", "Arn": topic}, {"Id": "2", "Arn": fifo_arn, "SqsParameters": group})
    cloud.put({"n": 1})
    assert cloud.bodies(url)[0]["detail"] == {"n": 1}
    assert cloud.bodies(fifo)[0]["detail"] == {"n": 1}


def log_group(aws: Aws) -> tuple[Any, str]:
    """Create a log group that lets EventBridge in; return a client for it and its ARN."""
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="orders")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "*",
    }
    logs.put_resource_policy(
        policyName="events", policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    return logs, f"arn:aws:logs:us-east-1:{aws.account}:log-group:orders"


def test_a_log_group_is_a_target(cloud: EventCloud, aws: Aws) -> None:
    logs, arn = log_group(aws)
    url, queue = cloud.queue()
    dead = {"Id": "2", "Arn": arn.replace("orders", "gone"), "DeadLetterConfig": {"Arn": queue}}
    cloud.rule({"Id": "1", "Arn": arn, "InputPath": "$.detail"}, dead)
    written: list[str] = []
    for number in range(2):
        cloud.put({"n": number})
        assert cloud.received(url)[0]["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
        end = time.monotonic() + 20
        while len(written) <= number:
            assert time.monotonic() < end
            found = logs.filter_log_events(logGroupName="orders")["events"]
            written = [event["message"] for event in found]
    assert sorted(written) == ['{"n":0}', '{"n":1}']


def test_a_template_makes_a_log_event(cloud: EventCloud, aws: Aws) -> None:
    logs, arn = log_group(aws)
    at = int(time.time()) - 60

    def made(template: str) -> dict[str, Any]:
        return {"InputPathsMap": {"at": "$.time", "n": "$.detail.n"}, "InputTemplate": template}

    cloud.rule(
        {"Id": "1", "Arn": arn, "InputTransformer": made('{"timestamp": <at>, "message": "order <n>"}')},
        {"Id": "2", "Arn": arn, "InputTransformer": made('{"timestamp": <n>, "message": <n>}')},
        {"Id": "3", "Arn": arn, "Input": json.dumps({"timestamp": (at + 1) * 1000, "message": "an order"})},
    )
    cloud.put({"n": 7}, Time=at)
    found = eventually(lambda: logs.filter_log_events(logGroupName="orders")["events"], lambda events: len(events) == 3)
    assert [event["message"] for event in found] == ["order 7", "an order", '{"timestamp": 7, "message": 7}']
    assert [event["timestamp"] for event in found[:2]] == [at * 1000, (at + 1) * 1000]


def test_another_bus_gets_the_same_event_and_a_third_one_gets_none(cloud: EventCloud) -> None:
    one, two = (cloud.events.create_event_bus(Name=name)["EventBusArn"] for name in ("one", "two"))
    url, arn = cloud.queue()
    dead, dead_arn = cloud.queue("dead")
    cloud.rule({"Id": "1", "Arn": one})
    on = {"Id": "1", "Arn": two, "DeadLetterConfig": {"Arn": dead_arn}}
    cloud.rule(on, {"Id": "2", "Arn": arn}, name="on", EventBusName="one")
    answer = cloud.put({"n": 1})
    assert cloud.bodies(url)[0]["id"] == answer["EventId"]
    (letter,) = cloud.received(dead)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "THIRD_ACCOUNT_HOP_DETECTED"


def test_a_bus_in_another_region_gives_an_event_a_new_id(cloud: EventCloud, aws: Aws) -> None:
    other = EventCloud(Aws(aws.endpoint, aws.account, "eu-west-1"))
    url, arn = other.queue()
    other.rule({"Id": "1", "Arn": arn})
    cloud.rule({"Id": "1", "Arn": other.events.describe_event_bus()["Arn"]})
    answer = cloud.put({"n": 1})
    (came,) = other.bodies(url)
    assert came["id"] != answer["EventId"]
    assert (came["region"], came["account"], came["detail"]) == ("us-east-1", cloud.account, {"n": 1})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"Input": '{"constant":1}'}, '{"constant":1}'),
        ({"InputPath": "$.detail.items[1]"}, '{"name":"b"}'),
        ({"InputPath": "$.detail.items[*].name"}, '["a","b"]'),
        (
            {"InputTransformer": {"InputPathsMap": {"n": "$.detail.id"}, "InputTemplate": '"order <n> has come"'}},
            '"order 7 has come"',
        ),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"who": "$.detail.who", "id": "$.detail.id", "items": "$.detail.items"},
                    "InputTemplate": '{"who":<who>,"text":"for <id>","items":<items>,"rule":"<aws.events.rule-name>"}',
                }
            },
            '{"who":"a \\"b\\"","text":"for 7","items":[{"name":"a"},{"name":"b"}],"rule":"r"}',
        ),
    ],
)
def test_a_target_gets_what_its_input_says(cloud: EventCloud, given: dict[str, Any], expected: str) -> None:
    url, arn = cloud.queue()
    cloud.rule({"Id": "1", "Arn": arn, **given})
    cloud.put({"id": 7, "who": 'a "b"', "items": [{"name": "a"}, {"name": "b"}]})
    assert cloud.received(url)[0]["Body"] == expected


def test_what_is_no_json_goes_to_the_dead_letter_queue(cloud: EventCloud) -> None:
    url, arn = cloud.queue("dead")
    transformer = {"InputPathsMap": {"items": "$.detail.items"}, "InputTemplate": '{"items":"<items>"}'}
    cloud.rule({"Id": "1", "Arn": arn, "InputTransformer": transformer, "DeadLetterConfig": {"Arn": arn}})
    cloud.put({"items": ["a"]})
    (letter,) = cloud.received(url)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "INVALID_JSON"
    assert json.loads(letter["Body"])["detail"] == {"items": ["a"]}


def test_targets_get_details_without_spaces(cloud: EventCloud) -> None:
    url, arn = cloud.queue()
    topic = cloud.sns.create_topic(Name="t")["TopicArn"]
    cloud.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    cloud.rule({"Id": "1", "Arn": topic}, {"Id": "2", "Arn": arn})
    cloud.put(Detail='{ "b" : [1.50, "x  y"],\n "a": { } }')
    for message in cloud.received(url, 2):
        assert message["Body"].endswith('"detail":{"b":[1.50,"x  y"],"a":{}}}')


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(cloud: EventCloud) -> None:
    url, arn = cloud.queue("dead")
    gone = arn.replace("dead", "gone")
    rule = cloud.rule({"Id": "1", "Arn": gone, "DeadLetterConfig": {"Arn": arn}, "Input": "1"})
    answer = cloud.put({"n": 1})
    (letter,) = cloud.received(url)
    assert json.loads(letter["Body"])["id"] == answer["EventId"]
    told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert told.pop("ERROR_MESSAGE")
    assert told == {
        "RULE_ARN": rule,
        "TARGET_ARN": gone,
        "ERROR_CODE": "NO_RESOURCE",
        "RETRY_ATTEMPTS": "0",
    }


def test_what_is_put_while_sqs_is_down_survives_a_crash_and_is_delivered(tmp_path: Path) -> None:
    account = "123456789012"
    with Server.start("--data", str(tmp_path)) as server:
        cloud = EventCloud(Aws(server.endpoint, account))
        _, arn = cloud.queue()
        cloud.rule({"Id": "1", "Arn": arn})
    with Server.start("--data", str(tmp_path), "--services", "events,sts") as server:
        cloud = EventCloud(Aws(server.endpoint, account))
        for number in range(20):
            cloud.put({"n": number})
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = EventCloud(Aws(server.endpoint, account))
        url = cloud.sqs.get_queue_url(QueueName="q")["QueueUrl"]
        numbers: set[int] = set()
        while len(numbers) < 20:
            numbers |= {each["detail"]["n"] for each in cloud.bodies(url)}
        assert numbers == set(range(20))
