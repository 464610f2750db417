"""Calls to all blocks are found in the history of events."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.roles import make_role

_PATIENCE_SECONDS = 20


def lookup(aws: Aws, count: int, **by: str) -> list[dict[str, Any]]:
    """Return the events with some attributes once there are so many; fails where there never are."""
    trail = aws.client("cloudtrail")
    attributes = [{"AttributeKey": key, "AttributeValue": value} for key, value in by.items()]
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        events: list[dict[str, Any]] = trail.lookup_events(LookupAttributes=attributes)["Events"]
        if len(events) >= count:
            assert len(events) == count
            return events
        assert time.monotonic() < end, f"never seen; at last: {[event['EventName'] for event in events]}"
        time.sleep(0.02)


def test_a_call_is_recorded_as_aws_does_it(aws: Aws) -> None:
    aws.client("sqs").create_queue(QueueName="orders", Attributes={"DelaySeconds": "3"})
    (event,) = lookup(aws, 1, EventName="CreateQueue")
    record = json.loads(event["CloudTrailEvent"])
    assert event["EventSource"] == record["eventSource"] == "sqs.amazonaws.com"
    assert (event["Username"], event["ReadOnly"]) == ("root", "false")
    assert {"ResourceType": "AWS::SQS::Queue", "ResourceName": "orders"} in event["Resources"]
    assert record["userIdentity"]["type"] == "Root"
    assert record["userIdentity"]["accountId"] == record["recipientAccountId"] == aws.account
    assert record["requestParameters"]["queueName"] == "orders"
    assert record["requestParameters"]["attributes"]["DelaySeconds"] == "3"
    assert record["responseElements"]["queueUrl"].endswith("/orders")
    assert record["awsRegion"] == aws.region
    assert record["userAgent"].startswith("Boto3/")
    assert record["managementEvent"] is True


def test_calls_have_the_names_that_aws_records_them_under(aws: Aws) -> None:
    """S3's user guide, "Amazon S3 CloudTrail events"; Lambda's guide has dates behind names."""
    bucket = f"named-{aws.account}"
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    s3.delete_public_access_block(Bucket=bucket)
    aws.client("lambda").list_functions()
    with pytest.raises(ClientError):
        aws.client("lambda").get_function(FunctionName="missing")
    for name in (
        "PutBucketNotification",
        "DeleteBucketPublicAccessBlock",
        "ListFunctions20150331",
        "GetFunction20150331v2",
    ):
        (event,) = lookup(aws, 1, EventName=name)
        assert json.loads(event["CloudTrailEvent"])["eventName"] == name


def test_calls_about_streams_of_tables_are_those_of_dynamodb(aws: Aws) -> None:
    aws.client("dynamodbstreams").list_streams()
    (event,) = lookup(aws, 1, EventName="ListStreams")
    assert event["EventSource"] == "dynamodb.amazonaws.com"


def test_a_session_is_recorded_with_its_role(aws: Aws) -> None:
    role = make_role(aws, "maker")
    action = {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:createQueue", "Input": '{"QueueName":"made"}', "RoleArn": role}
    aws.client("scheduler").create_schedule(
        Name="s",
        ScheduleExpression="at(2020-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=action,
    )
    (event,) = lookup(aws, 1, EventName="CreateQueue")
    identity = json.loads(event["CloudTrailEvent"])["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["arn"].startswith(f"arn:aws:sts::{aws.account}:assumed-role/maker/")
    issuer = identity["sessionContext"]["sessionIssuer"]
    assert (issuer["type"], issuer["arn"], issuer["userName"]) == ("Role", role, "maker")
    assert issuer["principalId"] == identity["principalId"].partition(":")[0]


def test_failures_and_reads_are_recorded_too(aws: Aws) -> None:
    sqs = aws.client("sqs")
    with pytest.raises(ClientError):
        sqs.get_queue_url(QueueName="missing")
    (event,) = lookup(aws, 1, EventName="GetQueueUrl")
    record = json.loads(event["CloudTrailEvent"])
    assert (event["ReadOnly"], record["responseElements"]) == ("true", None)
    assert record["errorCode"].endswith("NonExistentQueue") or record["errorCode"] == "QueueDoesNotExist"
    assert "does not exist" in record["errorMessage"]


def test_calls_that_the_model_refuses_are_recorded_without_their_parameters(aws: Aws) -> None:
    logs = aws.client("logs", config=Config(parameter_validation=False))
    with pytest.raises(ClientError):
        logs.create_log_group(logGroupName="x" * 513)
    (event,) = lookup(aws, 1, EventName="CreateLogGroup")
    record = json.loads(event["CloudTrailEvent"])
    assert record["errorCode"] == "InvalidParameterException"
    assert "failed to satisfy constraint" in record["errorMessage"]
    assert (record["requestParameters"], record["responseElements"], record["readOnly"]) == (None, None, False)
    with pytest.raises(ClientError):
        aws.client("scheduler", config=Config(parameter_validation=False)).get_schedule(Name="?")
    (event,) = lookup(aws, 1, EventName="GetSchedule")
    assert json.loads(event["CloudTrailEvent"])["errorCode"] == "ValidationException"
    secret = {"BasicAuthParameters": {"Username": "u", "Password": "the secret" * 60}}
    with pytest.raises(ClientError):
        aws.client("events").create_connection(Name="c", AuthorizationType="BASIC", AuthParameters=secret)
    (event,) = lookup(aws, 1, EventName="CreateConnection")
    assert "the secret" not in event["CloudTrailEvent"]


def test_calls_of_all_blocks_are_there_and_messages_are_not(aws: Aws) -> None:
    url = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="secret")
    aws.client("sns").create_topic(Name="t")
    aws.client("s3").create_bucket(Bucket=f"bucket-{aws.account}")
    aws.client("s3").put_object(Bucket=f"bucket-{aws.account}", Key="k", Body=b"secret")
    aws.client("dynamodb").create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.client("dynamodb").put_item(TableName="table", Item={"id": {"S": "secret"}})
    aws.client("sts").get_caller_identity()
    lookup(aws, 1, EventName="GetCallerIdentity")
    events = lookup(aws, 4, ReadOnly="false")
    assert {event["EventName"] for event in events} == {"CreateBucket", "CreateQueue", "CreateTable", "CreateTopic"}
    assert "secret" not in json.dumps(events, default=str)
    (bucket,) = lookup(aws, 1, ResourceName=f"bucket-{aws.account}")
    assert json.loads(bucket["CloudTrailEvent"])["requestParameters"]["bucketName"] == f"bucket-{aws.account}"


def test_keys_of_apis_and_credentials_of_platforms_are_not_there(aws: Aws) -> None:
    aws.client("apigateway").create_api_key(name="k", value="secret-of-the-api-key")
    credentials = {"PlatformCredential": "secret-of-the-platform", "PlatformPrincipal": "secret-of-the-platform"}
    aws.client("sns").create_platform_application(Name="p", Platform="ADM", Attributes=credentials)
    (key,) = lookup(aws, 1, EventName="CreateApiKey")
    (platform,) = lookup(aws, 1, EventName="CreatePlatformApplication")
    assert "secret-of" not in key["CloudTrailEvent"] + platform["CloudTrailEvent"]
    attributes = json.loads(platform["CloudTrailEvent"])["requestParameters"]["attributes"]
    assert attributes["PlatformCredential"] == "HIDDEN_DUE_TO_SECURITY_REASONS"


def test_passwords_of_endpoints_are_not_there(aws: Aws) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://user:secret@localhost:9/")
    (subscribed,) = lookup(aws, 1, EventName="Subscribe")
    shown = json.loads(subscribed["CloudTrailEvent"])["requestParameters"]
    assert shown["endpoint"] == "http://user:****@localhost:9/"


def test_events_come_in_pages_the_newest_first(aws: Aws) -> None:
    sqs, trail = aws.client("sqs"), aws.client("cloudtrail")
    for number in range(7):
        sqs.create_queue(QueueName=f"q{number}")
    lookup(aws, 7, EventName="CreateQueue")
    pages = trail.get_paginator("lookup_events").paginate(PaginationConfig={"PageSize": 3})
    found = [event for page in pages for event in page["Events"] if event["EventName"] == "CreateQueue"]
    assert len({event["EventId"] for event in found}) == 7
    times = [event["EventTime"] for event in found]
    assert times == sorted(times, reverse=True)


def test_a_token_shows_nothing_of_other_accounts(aws: Aws, cloudlet_server: Server) -> None:
    """Tokens are not sealed: whatever place one names, it is looked at within what the caller may see."""
    other = Aws(cloudlet_server.endpoint, fresh_account())
    for each in (aws, other):
        each.client("sqs").create_queue(QueueName="q")
        lookup(each, 1, EventName="CreateQueue")
    for place in (b"\xff" * 40, b"\x00", b"x"):
        token = urlsafe_b64encode(place).decode()
        for each in (aws, other):
            events = each.client("cloudtrail").lookup_events(NextToken=token)["Events"]
            assert {json.loads(event["CloudTrailEvent"])["recipientAccountId"] for event in events} <= {each.account}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"NextToken": "?"}, "InvalidNextTokenException"),
        ({"EventCategory": "insight"}, "InvalidEventCategoryException"),
        ({"StartTime": 2e9, "EndTime": 1e9}, "InvalidTimeRangeException"),
    ],
)
def test_what_cannot_be_looked_up(aws: Aws, params: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as error:
        aws.client("cloudtrail").lookup_events(**params)
    assert error.value.response["Error"]["Code"] == code
