"""Trails deliver: files of events each five minutes, and digests of them each hour, of the cloud's clock."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.buckets import let_in
from tests.commands import cloudlet
from tests.services.cloudtrail.places import make_bucket, make_role, make_topic
from tests.services.cloudtrail.test_history import lookup
from tests.services.s3.own_work import Strict, bucket, keys, queue, strict_server, told
from tests.standing import Standing, eventually

_LOGS = "CloudTrail/"
_DIGESTS = "CloudTrail-Digest/"


def _files(aws: Aws, name: str, kind: str, region: str = "us-east-1") -> list[str]:
    return keys(aws.client("s3"), name, f"AWSLogs/{aws.account}/{kind}{region}/")


def _wait_for(aws: Aws, name: str, kind: str, count: int) -> None:
    """Wait until there are so many files."""
    eventually(lambda: len(_files(aws, name, kind)) == count)


def _records(aws: Aws, name: str) -> list[dict[str, Any]]:
    """Return what is in all files of a trail in a bucket."""
    s3 = aws.client("s3")
    bodies = [s3.get_object(Bucket=name, Key=key)["Body"].read() for key in _files(aws, name, _LOGS)]
    return [record for body in bodies for record in json.loads(gzip.decompress(body))["Records"]]


def _names(aws: Aws, name: str) -> list[str]:
    return sorted(record["eventName"] for record in _records(aws, name))


def _trail(aws: Aws, **settings: Any) -> tuple[str, str]:
    """Have a trail log into a new bucket; return its bucket and its ARN."""
    name = bucket(aws.client("s3"))
    let_in(aws.client("s3"), name, "cloudtrail.amazonaws.com")
    trails = aws.client("cloudtrail")
    arn = trails.create_trail(Name="audit", S3BucketName=name, **settings)["TrailARN"]
    trails.start_logging(Name="audit")
    return name, arn


def test_events_come_in_files_and_a_topic_is_told(standing: Standing) -> None:
    aws = standing.account()
    sns, sqs = aws.client("sns"), aws.client("sqs")
    url, endpoint = queue(aws, "told")
    topic = make_topic(aws, "files")
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes=raw)
    name, _ = _trail(aws, SnsTopicName="files", S3KeyPrefix="")
    test = eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages"))[0]
    assert test["Body"] == "CloudTrail validation message."
    sqs.delete_message(QueueUrl=url, ReceiptHandle=test["ReceiptHandle"])

    sqs.create_queue(QueueName="orders")
    lookup(aws, 1, ResourceName="orders")
    assert _files(aws, name, _LOGS) == []
    standing.advance("5m")
    message = told(sqs, url)
    (key,) = message["s3ObjectKey"]
    assert message["s3Bucket"] == name
    assert _files(aws, name, _LOGS) == [key]
    moment = key.rpartition("/")[2].split("_")[3]
    day = f"{moment[:4]}/{moment[4:6]}/{moment[6:8]}"
    file = f"{aws.account}_CloudTrail_us-east-1_{moment}_"
    assert key.startswith(f"AWSLogs/{aws.account}/CloudTrail/us-east-1/{day}/{file}")
    assert key.endswith(".json.gz")
    assert aws.client("s3").head_object(Bucket=name, Key=key)["ContentType"] == "application/json"
    made = [record for record in _records(aws, name) if record["eventName"] == "CreateQueue"]
    assert [record["requestParameters"]["queueName"] for record in made] == ["orders"]
    status = aws.client("cloudtrail").get_trail_status(Name="audit")
    assert status["LatestDeliveryTime"]
    assert status["LatestNotificationAttemptSucceeded"]
    assert "LatestDeliveryError" not in status


def test_a_log_group_has_the_events_too(standing: Standing) -> None:
    aws = standing.account()
    logs, trails = aws.client("logs"), aws.client("cloudtrail")
    logs.create_log_group(logGroupName="audit/all")
    name, _ = _trail(
        aws,
        CloudWatchLogsLogGroupArn=f"arn:aws:logs:us-east-1:{aws.account}:log-group:audit/all:*",
        CloudWatchLogsRoleArn=make_role(aws),
    )
    stream = f"{aws.account}_CloudTrail_us-east-1"
    (made,) = logs.describe_log_streams(logGroupName="audit/all")["logStreams"]
    assert made["logStreamName"] == stream
    for number in range(120):
        aws.client("sqs").create_queue(QueueName=f"q{number}")
    eventually(lambda: len(_history(aws, "CreateQueue")) == 120)

    def told() -> set[str]:
        events = logs.get_log_events(logGroupName="audit/all", logStreamName=stream, startFromHead=True)["events"]
        records = [json.loads(event["message"]) for event in events]
        return {each["requestParameters"]["queueName"] for each in records if each["eventName"] == "CreateQueue"}

    assert told() == set()
    standing.advance("5m")
    assert eventually(told, lambda seen: len(seen) == 120)
    assert trails.get_trail_status(Name="audit")["LatestCloudWatchLogsDeliveryTime"]
    assert "CreateQueue" in eventually(lambda: _names(aws, name))

    logs.delete_log_group(logGroupName="audit/all")
    aws.client("sqs").create_queue(QueueName="last")
    lookup(aws, 1, ResourceName="last")
    standing.advance("5m")
    error = "LatestCloudWatchLogsDeliveryError"
    status = eventually(lambda: trails.get_trail_status(Name="audit"), lambda seen: error in seen)
    assert status[error] == "ResourceNotFoundException"
    assert trails.update_trail(Name="audit", CloudWatchLogsLogGroupArn="", CloudWatchLogsRoleArn="")


def _history(aws: Aws, name: str) -> list[dict[str, Any]]:
    attributes = [{"AttributeKey": "EventName", "AttributeValue": name}]
    pages = aws.client("cloudtrail").get_paginator("lookup_events").paginate(LookupAttributes=attributes)
    return [event for page in pages for event in page["Events"]]


def test_a_rule_of_eventbridge_is_told_of_what_changes_something(aws: Aws) -> None:
    sqs, events = aws.client("sqs"), aws.client("events")
    url, arn = queue(aws, "told")
    pattern = {"detail-type": ["AWS API Call via CloudTrail"], "detail": {"eventSource": ["sqs.amazonaws.com"]}}
    events.put_rule(Name="calls", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="calls", Targets=[{"Id": "queue", "Arn": arn}])
    sqs.create_queue(QueueName="before")
    lookup(aws, 1, ResourceName="before")
    _trail(aws)
    sqs.list_queues()
    lookup(aws, 1, EventName="ListQueues")
    sqs.create_queue(QueueName="orders")
    event = told(sqs, url)
    assert (event["source"], event["account"], event["region"]) == ("aws.sqs", aws.account, aws.region)
    assert event["detail"]["eventName"] == "CreateQueue"
    assert event["detail"]["requestParameters"]["queueName"] == "orders"


def test_what_cannot_be_delivered_waits_and_says_why(standing: Standing) -> None:
    aws = standing.account()
    name, _ = _trail(aws)
    aws.client("s3").delete_bucket(Bucket=name)
    aws.client("sqs").create_queue(QueueName="orders")
    lookup(aws, 1, EventName="CreateQueue")
    standing.advance("5m")
    trails = aws.client("cloudtrail")
    status = eventually(lambda: trails.get_trail_status(Name="audit"), lambda seen: "LatestDeliveryError" in seen)
    assert (status["LatestDeliveryError"], status["LatestDeliveryAttemptSucceeded"]) == ("NoSuchBucket", "")

    make_bucket(aws, name)
    standing.advance("5m")
    assert "CreateQueue" in eventually(lambda: _names(aws, name))
    assert "LatestDeliveryError" not in trails.get_trail_status(Name="audit")


def test_the_aws_cli_finds_all_files_valid_and_a_changed_one_invalid(standing: Standing) -> None:
    aws = standing.account()
    name, arn = _trail(aws, EnableLogFileValidation=True)
    # Events of other calls might come later, in a file more.
    management = {"Field": "eventCategory", "Equals": ["Management"]}
    only = _selected(management, {"Field": "readOnly", "Equals": ["false"]})
    aws.client("cloudtrail").put_event_selectors(TrailName="audit", AdvancedEventSelectors=[only])
    lookup(aws, 1, EventName="PutEventSelectors")
    for number in (1, 2):
        aws.client("sqs").create_queue(QueueName=f"q{number}")
        lookup(aws, number, EventName="CreateQueue")
        standing.advance("5m")
        _wait_for(aws, name, _LOGS, number)
        standing.advance("1h")
        _wait_for(aws, name, _DIGESTS, number)
    assert _validated(aws, arn) == (0, ["2/2 digest files valid", "2/2 log files valid"])
    s3 = aws.client("s3")
    last = s3.get_object(Bucket=name, Key=_files(aws, name, _DIGESTS)[-1])
    digest = json.loads(gzip.decompress(last["Body"].read()))
    assert digest["previousDigestS3Object"] == _files(aws, name, _DIGESTS)[0]
    assert digest["awsAccountId"] == aws.account
    assert aws.client("cloudtrail").get_trail_status(Name="audit")["LatestDigestDeliveryTime"]

    s3.put_object(Bucket=name, Key=_files(aws, name, _LOGS)[0], Body=gzip.compress(b'{"Records":[]}'))
    code, said = _validated(aws, arn)
    assert (code, said[0]) == (1, "2/2 digest files valid")
    assert said[1].startswith("1/2 log files valid, 1/2 log files INVALID")
    s3.delete_object(Bucket=name, Key=_files(aws, name, _DIGESTS)[0])
    assert _validated(aws, arn)[1][0].startswith("1/2 digest files valid, 1/2 digest files INVALID")


def _validated(aws: Aws, arn: str) -> tuple[int, list[str]]:
    """Return with what code the CLI ends that validates a trail's files, and what it says of their numbers."""
    times = ("--start-time", "2030-03-13T00:00:00Z", "--end-time", "2030-04-13T00:00:00Z")
    command = [sys.executable, "-m", "awscli", "cloudtrail", "validate-logs", "--trail-arn", arn, *times]
    environment = {**os.environ, **aws.environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    return done.returncode, [line for line in done.stdout.splitlines() if line[:1].isdigit()]


def _selected(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"FieldSelectors": list(fields)}


def _data(kind: str, *fields: dict[str, Any]) -> dict[str, Any]:
    category = {"Field": "eventCategory", "Equals": ["Data"]}
    return _selected(category, {"Field": "resources.type", "Equals": [kind]}, *fields)


def test_data_events_come_as_they_are_selected(standing: Standing) -> None:
    aws = standing.account()
    name, _ = _trail(aws, RecursiveLogging=False)
    s3, sqs, sns, table = (aws.client(service) for service in ("s3", "sqs", "sns", "dynamodb"))
    seen, other = bucket(s3), bucket(s3)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    key = [{"AttributeName": "id", "KeyType": "HASH"}]
    types = [{"AttributeName": "id", "AttributeType": "S"}]
    for each in ("one", "two"):
        table.create_table(TableName=each, KeySchema=key, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")
    streaming = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    changed = table.update_table(TableName="one", StreamSpecification=streaming)["TableDescription"]
    stream, streams = changed["LatestStreamArn"], aws.client("dynamodbstreams")
    objects = {"Field": "resources.ARN", "StartsWith": [f"arn:aws:s3:::{seen}/"], "NotEndsWith": [".tmp"]}
    of_two = {"Field": "resources.ARN", "EndsWith": ["table/two"]}
    writes = {"Field": "readOnly", "Equals": ["false"]}
    aws.client("cloudtrail").put_event_selectors(
        TrailName="audit",
        AdvancedEventSelectors=[
            _data("AWS::S3::Object", objects, {"Field": "eventName", "NotEquals": ["GetObject"]}),
            _data("AWS::DynamoDB::Table", of_two, writes),
            _data("AWS::DynamoDB::Stream", {"Field": "eventSource", "Equals": ["dynamodb.amazonaws.com"]}),
            _data("AWS::SQS::Queue", {"Field": "eventName", "StartsWith": ["Send"]}),
            _data("AWS::SNS::Topic"),
        ],
    )

    def work() -> set[tuple[str, str]]:
        """Do all that may be recorded, and return what has come so far: blocks learn in a moment that it is wanted."""
        for place in (seen, other):
            s3.put_object(Bucket=place, Key="kept.txt", Body=b"secret")
            s3.put_object(Bucket=place, Key="scratch.tmp", Body=b"secret")
            s3.get_object(Bucket=place, Key="kept.txt")
        sqs.send_message(QueueUrl=url, MessageBody="secret")
        sqs.receive_message(QueueUrl=url)
        sns.publish(TopicArn=topic, Message="secret", Subject="secret")
        for each in ("one", "two"):
            table.put_item(TableName=each, Item={"id": {"S": "secret"}})
            table.get_item(TableName=each, Key={"id": {"S": "secret"}})
        shard, *_ = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        place = {"ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        streams.get_records(ShardIterator=streams.get_shard_iterator(StreamArn=stream, **place)["ShardIterator"])
        standing.advance("5m")
        return {(each["eventName"], each["resources"][0]["ARN"]) for each in _data_records(aws, name)}

    wanted = {
        ("PutObject", f"arn:aws:s3:::{seen}/kept.txt"),
        ("PutItem", f"arn:aws:dynamodb:us-east-1:{aws.account}:table/two"),
        ("SendMessage", f"arn:aws:sqs:us-east-1:{aws.account}:q"),
        ("Publish", topic),
        ("GetShardIterator", stream),
        ("GetRecords", stream),
    }
    assert eventually(work, lambda found: found >= wanted) == wanted
    assert "secret" not in json.dumps(_data_records(aws, name))
    assert {record["eventCategory"] for record in _data_records(aws, name)} == {"Data"}


def _data_records(aws: Aws, name: str) -> list[dict[str, Any]]:
    return [record for record in _records(aws, name) if not record["managementEvent"]]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ({"ReadWriteType": "WriteOnly"}, ["CreateQueue"]),
        ({"ReadWriteType": "ReadOnly"}, ["ListQueues"]),
    ],
)
def test_basic_selectors_choose_reads_or_writes(standing: Standing, selector: dict[str, Any], names: list[str]) -> None:
    aws = standing.account()
    name, _ = _trail(aws)
    aws.client("cloudtrail").put_event_selectors(TrailName="audit", EventSelectors=[selector])
    aws.client("sqs").create_queue(QueueName="q")
    aws.client("sqs").list_queues()
    for each in ("CreateQueue", "ListQueues"):
        lookup(aws, 1, EventName=each)
    standing.advance("5m")
    came = eventually(lambda: [each for each in _names(aws, name) if each.endswith(("Queue", "Queues"))])
    assert came == names


def test_basic_selectors_choose_objects_and_tables(standing: Standing) -> None:
    aws = standing.account()
    name, _ = _trail(aws)
    s3 = aws.client("s3")
    seen = bucket(s3)
    objects = {"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{seen}/a"]}
    tables = {"Type": "AWS::DynamoDB::Table", "Values": ["arn:aws:dynamodb"]}
    selector = {"IncludeManagementEvents": False, "DataResources": [objects, tables], "ReadWriteType": "WriteOnly"}
    trails = aws.client("cloudtrail")
    trails.put_event_selectors(TrailName="audit", EventSelectors=[selector])

    def work() -> set[tuple[str, str]]:
        for key in ("a/1", "b/1"):
            s3.put_object(Bucket=seen, Key=key)
            s3.head_object(Bucket=seen, Key=key)
        with pytest.raises(ClientError):
            aws.client("dynamodb").delete_item(TableName="missing", Key={"id": {"S": "1"}})
        standing.advance("5m")
        return {(each["eventName"], each["resources"][0]["ARN"]) for each in _data_records(aws, name)}

    table = f"arn:aws:dynamodb:us-east-1:{aws.account}:table/missing"
    wanted = {("PutObject", f"arn:aws:s3:::{seen}/a/1"), ("DeleteItem", table)}
    assert eventually(work, lambda found: found >= wanted) == wanted
    failed = next(each for each in _data_records(aws, name) if each["eventName"] == "DeleteItem")
    assert failed["errorCode"] == "ResourceNotFoundException"


def test_selectors_choose_functions_however_they_are_named(standing: Standing) -> None:
    aws = standing.account()
    name, _ = _trail(aws)
    prefix = f"arn:aws:lambda:us-east-1:{aws.account}:function"
    resource = {"Type": "AWS::Lambda::Function", "Values": [f"{prefix}:seen"]}
    selector = {"IncludeManagementEvents": False, "DataResources": [resource]}
    aws.client("cloudtrail").put_event_selectors(TrailName="audit", EventSelectors=[selector])
    forms = ("seen", "seen:live", f"{aws.account}:function:seen", f"{prefix}:seen:$LATEST")

    def work() -> set[str]:
        for form in (*forms, "seen2", f"{prefix}:other"):
            with pytest.raises(ClientError):
                aws.client("lambda").invoke(FunctionName=form, Payload=b"secret")
        standing.advance("5m")
        return {each["requestParameters"]["functionName"] for each in _data_records(aws, name)}

    assert eventually(work, lambda found: found >= set(forms)) == set(forms)
    (record, *_) = records = _data_records(aws, name)
    assert (record["eventSource"], record["eventName"]) == ("lambda.amazonaws.com", "Invoke")
    shown = {"type": "AWS::Lambda::Function", "ARN": f"{prefix}:seen", "accountId": aws.account}
    assert [each["resources"] for each in records] == [[shown]] * len(records)
    assert "secret" not in json.dumps(records)


def test_a_trail_of_all_regions_has_files_of_each(standing: Standing) -> None:
    aws = standing.account()
    name, _ = _trail(aws, IsMultiRegionTrail=True, EnableLogFileValidation=True)
    abroad = Aws(aws.endpoint, aws.account, "eu-west-1")
    abroad.client("sqs").create_queue(QueueName="q")
    lookup(abroad, 1, EventName="CreateQueue")
    standing.advance("5m")
    (key,) = eventually(lambda: _files(aws, name, _LOGS, "eu-west-1"))
    assert "_CloudTrail_eu-west-1_" in key
    standing.advance("1h")
    (digest,) = eventually(lambda: _files(aws, name, _DIGESTS, "eu-west-1"))
    assert "_CloudTrail-Digest_eu-west-1_audit_us-east-1_" in digest


def test_a_trail_that_has_stopped_delivers_nothing_more(standing: Standing) -> None:
    aws = standing.account()
    name, _ = _trail(aws)
    aws.client("sqs").create_queue(QueueName="before")
    lookup(aws, 1, EventName="CreateQueue")
    aws.client("cloudtrail").stop_logging(Name="audit")
    aws.client("sqs").create_queue(QueueName="after")
    lookup(aws, 2, EventName="CreateQueue")
    standing.advance("5m")
    made = [each for each in eventually(lambda: _records(aws, name)) if each["eventName"] == "CreateQueue"]
    assert [each["requestParameters"]["queueName"] for each in made] == ["before"]


def _policy(strict: Strict, name: str) -> str:
    """Return the policy that the user guide gives for a trail's bucket."""
    trail = f"arn:aws:cloudtrail:us-east-1:{strict.account}:trail/audit"
    service, of_trail = {"Service": "cloudtrail.amazonaws.com"}, {"aws:SourceArn": trail}
    look = {
        "Effect": "Allow",
        "Principal": service,
        "Action": "s3:GetBucketAcl",
        "Resource": f"arn:aws:s3:::{name}",
        "Condition": {"StringEquals": of_trail},
    }
    write = {
        "Effect": "Allow",
        "Principal": service,
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/AWSLogs/{strict.account}/*",
        "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", **of_trail}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [look, write]})


def test_where_permissions_are_enforced_the_bucket_has_to_let_cloudtrail_in() -> None:
    with strict_server() as strict:
        s3, trails = strict.client("s3"), strict.client("cloudtrail")
        name = f"trail-{secrets.token_hex(8)}"
        s3.create_bucket(Bucket=name)
        with pytest.raises(ClientError) as error:
            trails.create_trail(Name="audit", S3BucketName=name)
        assert error.value.response["Error"]["Code"] == "InsufficientS3BucketPolicyException"

        s3.put_bucket_policy(Bucket=name, Policy=_policy(strict, name))
        trails.create_trail(Name="audit", S3BucketName=name)
        trails.start_logging(Name="audit")
        strict.client("sqs").create_queue(QueueName="q")

        def delivered() -> list[str]:
            moved = cloudlet("clock", "advance", "5m", "--port", strict.server.port)
            assert moved.returncode == 0, moved.stderr
            assert "LatestDeliveryError" not in trails.get_trail_status(Name="audit")
            return keys(s3, name, f"AWSLogs/{strict.account}/CloudTrail/us-east-1/")

        assert eventually(delivered)
