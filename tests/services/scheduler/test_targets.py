"""What schedules invoke, and with what. Schedules for a time that is past run at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.scheduler.cloud import SchedulerCloud
from tests.standing import eventually

_PAST = "at(2020-01-01T00:00:00)"


def test_a_queue_gets_the_input(cloud: SchedulerCloud) -> None:
    url, arn = cloud.queue()
    cloud.schedule(_PAST, cloud.target(arn, Input="not JSON"))
    assert cloud.received(url)[0]["Body"] == "not JSON"


def test_a_target_without_an_input_gets_a_notification(cloud: SchedulerCloud) -> None:
    url, arn = cloud.queue()
    own = cloud.schedule(_PAST, cloud.target(arn))
    (event,) = cloud.bodies(url)
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.scheduler", "Scheduled Event", "{}")
    assert (event["time"], event["resources"]) == ("2020-01-01T00:00:00Z", [own])


def test_an_input_has_the_attributes_of_the_context(cloud: SchedulerCloud) -> None:
    url, arn = cloud.queue()
    names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    given = json.dumps({name: f"<aws.scheduler.{name}>" for name in (*names, "else")})
    own = cloud.schedule(_PAST, cloud.target(arn, Input=given))
    (got,) = cloud.bodies(url)
    assert (got["schedule-arn"], got["scheduled-time"], got["attempt-number"]) == (own, "2020-01-01T00:00:00Z", "1")
    assert len(got["execution-id"]) == 36
    assert got["else"] == "<aws.scheduler.else>"


def test_a_fifo_queue_gets_the_group(cloud: SchedulerCloud) -> None:
    url, arn = cloud.queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    cloud.schedule(_PAST, cloud.target(arn, Input="a", SqsParameters={"MessageGroupId": "g"}))
    assert cloud.received(url)[0]["Attributes"]["MessageGroupId"] == "g"


def test_a_topic_and_a_bus_get_it_too(cloud: SchedulerCloud) -> None:
    url, arn = cloud.queue()
    topic = cloud.aws.client("sns").create_topic(Name="t")["TopicArn"]
    cloud.aws.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    cloud.schedule(_PAST, cloud.target(topic, Input="to the topic"), name="topic")
    assert cloud.received(url)[0]["Body"] == "to the topic"
    events = cloud.aws.client("events")
    events.put_rule(Name="r", EventPattern='{"source":["shop"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
    bus = f"arn:aws:events:us-east-1:{cloud.account}:event-bus/default"
    parameters = {"DetailType": "order", "Source": "shop"}
    cloud.schedule(_PAST, cloud.target(bus, Input='{"a": 1}', EventBridgeParameters=parameters), name="bus")
    (event,) = cloud.bodies(url)
    assert (event["detail-type"], event["detail"]) == ("order", {"a": 1})


@pytest.mark.parametrize("capital", [True, False])
def test_any_operation_can_be_called(cloud: SchedulerCloud, capital: bool) -> None:
    url, _ = cloud.queue()
    given = {"QueueUrl": url, "MessageBody": "m", "DelaySeconds": 0}
    cloud.schedule(
        _PAST, cloud.target("arn:aws:scheduler:::aws-sdk:sqs:sendMessage", Input=json.dumps(given)), name="send"
    )
    assert cloud.received(url)[0]["Body"] == "m"
    name = "LogGroupName" if capital else "logGroupName"
    cloud.schedule(
        _PAST,
        cloud.target("arn:aws:scheduler:::aws-sdk:cloudwatchlogs:createLogGroup", Input=json.dumps({name: "g"})),
        name="logs",
    )
    logs = cloud.aws.client("logs")
    assert eventually(lambda: logs.describe_log_groups()["logGroups"])[0]["logGroupName"] == "g"


def test_an_object_and_an_item_are_put(cloud: SchedulerCloud) -> None:
    s3, dynamodb = cloud.aws.client("s3"), cloud.aws.client("dynamodb")
    bucket = f"b-{cloud.account}"
    s3.create_bucket(Bucket=bucket)
    dynamodb.create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    calls: dict[str, dict[str, Any]] = {
        "s3:putObject": {"Bucket": bucket, "Key": "k", "Body": "text"},
        "dynamodb:putItem": {"TableName": "table", "Item": {"k": {"S": "a"}, "n": {"N": "1"}}},
    }
    for number, (action, given) in enumerate(calls.items()):
        arn = f"arn:aws:scheduler:::aws-sdk:{action}"
        cloud.schedule(_PAST, cloud.target(arn, Input=json.dumps(given)), name=f"s{number}")
    eventually(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"text"
    item = eventually(lambda: dynamodb.get_item(TableName="table", Key={"k": {"S": "a"}}).get("Item"))
    assert item == {"k": {"S": "a"}, "n": {"N": "1"}}


@pytest.mark.parametrize(
    ("arn", "given", "code"),
    [
        ("arn:aws:sqs:us-east-1:{account}:gone", "a", "AWS.SimpleQueueService.NonExistentQueue"),
        ("arn:aws:scheduler:::aws-sdk:sqs:sendMessage", '{"MessageBody":"m"}', "MissingParameter"),
        ("arn:aws:scheduler:::aws-sdk:sqs:sendMessage", '{"Nonsense":"m"}', "ValidationException"),
        ("arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "[1]", "ValidationException"),
        ("arn:aws:scheduler:::aws-sdk:sqs:sendMessage", '{"QueueUrl":1,"MessageBody":"m"}', "SerializationException"),
    ],
)
def test_what_a_target_refuses_goes_to_the_dead_letter_queue(
    cloud: SchedulerCloud, arn: str, given: str, code: str
) -> None:
    dead, dead_arn = cloud.queue("dead")
    target = cloud.target(arn.format(account=cloud.account), Input=given, DeadLetterConfig={"Arn": dead_arn})
    own = cloud.schedule(_PAST, target)
    (letter,) = cloud.received(dead)
    told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert letter["Body"] == given
    assert told.pop("ERROR_MESSAGE")
    assert told.pop("EXECUTION_ID")
    assert told == {
        "ERROR_CODE": code,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": "2020-01-01T00:00:00Z",
        "SCHEDULE_ARN": own,
        "TARGET_ARN": target["Arn"],
    }


def test_cloudtrail_records_that_scheduler_made_a_call_by_the_role(cloud: SchedulerCloud) -> None:
    target = cloud.target("arn:aws:scheduler:::aws-sdk:sqs:createQueue", Input='{"QueueName":"made"}')
    cloud.schedule("at(2020-01-01T00:00:00)", target)
    trail = cloud.aws.client("cloudtrail")
    by = [{"AttributeKey": "EventName", "AttributeValue": "CreateQueue"}]
    (event,) = eventually(lambda: trail.lookup_events(LookupAttributes=by)["Events"])
    record = json.loads(event["CloudTrailEvent"])
    assert record["userIdentity"]["invokedBy"] == record["sourceIPAddress"] == "scheduler.amazonaws.com"
    assert record["userIdentity"]["type"] == "AssumedRole"
    assert record["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == cloud.role
