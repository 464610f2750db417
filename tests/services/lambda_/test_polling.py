"""Event source mappings at work: what is in queues and streams comes to functions, and what fails comes again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import module, python
from tests.standing import eventually

TELL = "print('SEEN ' + json.dumps(event['Records']))\n"


class PollingCloud(FunctionCloud):
    """A function f that tells its log what it gets, and sources for it."""

    def tells(self, then: str = "", **more: Any) -> None:
        """Create the function; it goes on with more lines after it has told."""
        python(self, TELL + then, **more)

    def log(self) -> list[str]:
        """Return what is in the function's log."""
        return [each["message"] for each in self.logged()]

    def seen(self) -> list[list[dict[str, Any]]]:
        """Return the batches that the function has told of, in their order."""
        return [json.loads(line[5:]) for line in self.log() if line.startswith("SEEN ")]

    def bodies(self) -> list[list[str]]:
        """Return the bodies of the messages of each batch."""
        return [[record["body"] for record in batch] for batch in self.seen()]

    def queue(self, name: str = "q", **attributes: str) -> str:
        """Create a queue; return its URL."""
        url: str = self.aws.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url

    def map_queue(self, name: str = "q", **more: Any) -> str:
        """Map a queue to the function; return the mapping's id."""
        arn = f"arn:aws:sqs:us-east-1:{self.account}:{name}"
        id: str = self.client.create_event_source_mapping(EventSourceArn=arn, FunctionName="f", **more)["UUID"]
        return id

    def send(self, url: str, *bodies: str, **more: Any) -> None:
        for body in bodies:
            self.aws.client("sqs").send_message(QueueUrl=url, MessageBody=body, **more)

    def left(self, url: str) -> int:
        """Return how many messages a queue has, those in flight too."""
        shown = self.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(shown["ApproximateNumberOfMessages"]) + int(shown["ApproximateNumberOfMessagesNotVisible"])

    def table(self) -> str:
        """Create a table of orders; return the ARN of its stream."""
        made = self.aws.client("dynamodb").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        arn: str = made["TableDescription"]["LatestStreamArn"]
        return arn

    def put(self, *ids: str) -> None:
        for id in ids:
            self.aws.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": id}})

    def map_stream(self, arn: str, **more: Any) -> str:
        """Map a stream to the function from its beginning; return the mapping's id."""
        given = {"EventSourceArn": arn, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON", **more}
        id: str = self.client.create_event_source_mapping(**given)["UUID"]
        return id

    def ids(self) -> list[list[str]]:
        """Return the ids of the items of each batch of changes."""
        return [[record["dynamodb"]["Keys"]["id"]["S"] for record in batch] for batch in self.seen()]


@pytest.fixture
def polling(cloud: FunctionCloud) -> PollingCloud:
    return PollingCloud(cloud.aws)


def test_messages_come_as_aws_shows_them_and_are_deleted(polling: PollingCloud) -> None:
    polling.tells()
    url = polling.queue()
    attributes = {
        "kind": {"DataType": "String", "StringValue": "order"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x01"},
    }
    polling.send(url, "hello", MessageAttributes=attributes)
    polling.map_queue()
    ((record,),) = eventually(polling.seen)
    assert record["body"] == "hello"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"] == {
        "kind": {"stringValue": "order", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
        "raw": {"binaryValue": "AQ==", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
    }
    assert (record["eventSource"], record["awsRegion"]) == ("aws:sqs", "us-east-1")
    assert record["eventSourceARN"] == f"arn:aws:sqs:us-east-1:{polling.account}:q"
    eventually(lambda: polling.left(url), lambda left: left == 0)


def test_what_the_function_does_not_take_comes_again(polling: PollingCloud) -> None:
    polling.tells(
        "if event['Records'][0]['attributes']['ApproximateReceiveCount'] == '1':\n    raise ValueError('not yet')",
        Timeout=1,
    )
    url = polling.queue(VisibilityTimeout="1")
    polling.map_queue()
    polling.send(url, "hello")
    assert eventually(polling.bodies, lambda seen: len(seen) == 2) == [["hello"], ["hello"]]
    eventually(lambda: polling.left(url), lambda left: left == 0)


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("{'batchItemFailures': [{'itemIdentifier': event['Records'][1]['messageId']}]}", 1),
        ("{'batchItemFailures': [{'itemIdentifier': 'other'}]}", 2),
        ("{'batchItemFailures': [{'itemIdentifier': ''}]}", 2),
        ("'text'", 2),
        ("{'batchItemFailures': []}", 0),
        ("{}", 0),
        ("None", 0),
    ],
)
def test_a_function_says_what_has_failed(polling: PollingCloud, answer: str, left: int) -> None:
    polling.tells(f"return {answer}")
    url = polling.queue()
    polling.send(url, "a", "b")
    polling.map_queue(FunctionResponseTypes=["ReportBatchItemFailures"])
    eventually(polling.answers)
    eventually(lambda: polling.left(url), lambda found: found == left)
    assert len(polling.seen()[0]) == 2


def test_an_answer_that_makes_no_sense_concerns_its_own_batch_only(polling: PollingCloud) -> None:
    polling.tells(
        """
if event['Records'][0]['body'] == 'bad':
    return {'batchItemFailures': 5}
time.sleep(1)
""",
        Timeout=10,
    )
    url = polling.queue(VisibilityTimeout="15")
    polling.send(url, "good", "bad")
    polling.map_queue(FunctionResponseTypes=["ReportBatchItemFailures"], BatchSize=1)
    eventually(lambda: polling.left(url), lambda left: left == 1)
    assert polling.bodies().count(["good"]) == 1


def test_a_window_gathers_a_larger_batch(polling: PollingCloud) -> None:
    polling.tells()
    url = polling.queue()
    polling.send(url, *(str(number) for number in range(15)))
    # It ends once there is enough.
    polling.map_queue(BatchSize=15, MaximumBatchingWindowInSeconds=60)
    seen = eventually(polling.bodies)
    assert len(seen[0]) == 15


def test_what_a_filter_does_not_want_is_deleted(polling: PollingCloud) -> None:
    polling.tells()
    url = polling.queue()
    polling.send(url, json.dumps({"kind": "other"}), "no json", json.dumps({"kind": "order", "n": 1}))
    polling.map_queue(FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": {"kind": ["order"]}})}]})
    seen = eventually(polling.bodies)
    eventually(lambda: polling.left(url), lambda left: left == 0)
    assert [json.loads(body)["n"] for batch in seen for body in batch] == [1]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ({"$or": [{"body": {"a": [1]}}, {"body": {"b": [2]}}]}, ['{"a": 1}', '{"b": 2}']),
        ({"$or": [{"body": {"a": [1]}}, {"body": ["plain"]}]}, ['{"a": 1}', "plain"]),
        ({"body": ["plain", '{"a": 1}']}, ["plain"]),
        ({"eventSource": ["aws:sqs"]}, ['{"a": 1}', '{"b": 2}', "[1]", "plain", "{"]),
    ],
)
def test_bodies_are_matched_as_objects_where_they_are_and_else_as_texts(
    polling: PollingCloud, pattern: dict[str, Any], wanted: list[str]
) -> None:
    polling.tells()
    url = polling.queue()
    polling.send(url, '{"a": 1}', '{"b": 2}', "[1]", "plain", "{")
    polling.map_queue(FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    eventually(lambda: polling.left(url), lambda left: left == 0)
    seen = eventually(polling.bodies, lambda seen: sum(map(len, seen)) >= len(wanted))
    assert sorted(body for batch in seen for body in batch) == sorted(wanted)


def test_a_disabled_mapping_leaves_messages_where_they_are(polling: PollingCloud) -> None:
    polling.tells()
    url = polling.queue()
    id = polling.map_queue()
    state = lambda: polling.client.get_event_source_mapping(UUID=id)["State"]  # noqa: E731
    eventually(state, lambda found: found == "Enabled")
    polling.client.update_event_source_mapping(UUID=id, Enabled=False)
    eventually(state, lambda found: found == "Disabled")
    polling.send(url, "later")
    assert (polling.left(url), polling.seen()) == (1, [])
    polling.client.update_event_source_mapping(UUID=id, Enabled=True)
    assert eventually(polling.bodies) == [["later"]]


def test_a_fifo_queue_keeps_its_order(polling: PollingCloud) -> None:
    polling.tells()
    url = polling.queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    polling.map_queue("q.fifo", BatchSize=2)
    numbers = [str(number) for number in range(9)]
    polling.send(url, *numbers, MessageGroupId="g")
    eventually(lambda: polling.left(url), lambda left: left == 0)
    seen = eventually(polling.bodies, lambda seen: sum(map(len, seen)) == 9)
    assert [body for batch in seen for body in batch] == numbers


FORWARD = """
import boto3, json, os
queues = boto3.client("sqs")
def handler(event, context):
    print("SEEN " + json.dumps(event["Records"]))
    for record in event["Records"]:
        if record["body"] != "fresh":
            queues.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=str(int(record["body"]) + 1))
"""


def test_a_function_that_causes_itself_through_a_queue_is_stopped(polling: PollingCloud) -> None:
    url = polling.queue(VisibilityTimeout="30")
    module(polling, FORWARD, Timeout=30, Environment={"Variables": {"QUEUE": url}})
    polling.map_queue(BatchSize=1)
    polling.send(url, "1")
    eventually(polling.bodies, lambda seen: ["16"] in seen)
    # The seventeenth message stays in its queue; others are not kept back.
    polling.send(url, "fresh")
    bodies = eventually(polling.bodies, lambda seen: ["fresh"] in seen)
    assert bodies == [[str(number)] for number in range(1, 17)] + [["fresh"]]
    assert eventually(lambda: polling.left(url), lambda left: left == 1)


def test_a_function_may_be_let_cause_itself(polling: PollingCloud) -> None:
    url = polling.queue(VisibilityTimeout="30")
    module(polling, FORWARD, Timeout=30, Environment={"Variables": {"QUEUE": url}})
    polling.client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    id = polling.map_queue(BatchSize=1)
    polling.send(url, "1")
    eventually(polling.bodies, lambda seen: ["17"] in seen)
    polling.client.delete_event_source_mapping(UUID=id)


def test_changes_of_a_table_come_in_their_order(polling: PollingCloud) -> None:
    polling.tells()
    stream = polling.table()
    polling.put("a", "b")
    polling.map_stream(stream, BatchSize=10)
    polling.put("c")
    seen = eventually(polling.seen, lambda seen: sum(map(len, seen)) == 3)
    records = [record for batch in seen for record in batch]
    assert sorted(record["dynamodb"]["NewImage"]["id"]["S"] for record in records) == ["a", "b", "c"]
    first = records[0]
    assert (first["eventName"], first["eventSource"], first["eventSourceARN"]) == ("INSERT", "aws:dynamodb", stream)


def test_a_mapping_of_the_latest_changes_begins_where_it_was_made(polling: PollingCloud) -> None:
    polling.tells()
    stream = polling.table()
    polling.put("before")
    id = polling.map_stream(stream, StartingPosition="LATEST")
    eventually(lambda: polling.client.get_event_source_mapping(UUID=id)["State"], lambda state: state == "Enabled")
    polling.put("after")
    assert eventually(polling.ids) == [["after"]]


def test_records_that_go_on_failing_are_given_up_and_told_of(polling: PollingCloud) -> None:
    polling.tells("if event['Records'][0]['dynamodb']['Keys']['id']['S'] == 'bad':\n    raise ValueError('bad')")
    stream = polling.table()
    polling.put("bad")
    dead = polling.queue("dead")
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{polling.account}:dead"}}
    polling.map_stream(stream, MaximumRetryAttempts=1, DestinationConfig=destination)
    (message,) = polling.aws.client("sqs").receive_message(QueueUrl=dead, WaitTimeSeconds=20)["Messages"]
    told = json.loads(message["Body"])
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 2
    assert told["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert (told["DDBStreamBatchInfo"]["batchSize"], told["DDBStreamBatchInfo"]["streamArn"]) == (1, stream)
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", told["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"])
    assert eventually(polling.ids, lambda seen: len(seen) == 2) == [["bad"], ["bad"]]
    assert isinstance(polling.seen()[0][0]["dynamodb"]["ApproximateCreationDateTime"], float)
    polling.put("good")
    eventually(polling.ids, lambda seen: seen[-1] == ["good"])


def test_a_bucket_gets_the_records_that_are_given_up_too(polling: PollingCloud) -> None:
    polling.tells("raise ValueError('bad')")
    stream = polling.table()
    polling.put("bad")
    s3, bucket = polling.aws.client("s3"), f"given-up-{polling.account}"
    s3.create_bucket(Bucket=bucket)
    destination = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    id = polling.map_stream(stream, MaximumRetryAttempts=0, DestinationConfig=destination)
    (found,) = eventually(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents", []))
    told = json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    moment = r"\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}"
    assert re.fullmatch(f"aws/lambda/{id}/{told['DDBStreamBatchInfo']['shardId']}/{moment}", found["Key"])
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    (record,) = json.loads(told["payload"])["Records"]
    assert (record["dynamodb"]["Keys"]["id"]["S"], record["eventSourceARN"]) == ("bad", stream)


def test_a_batch_goes_on_from_the_first_record_that_failed(polling: PollingCloud) -> None:
    polling.tells(
        """
records = event['Records']
if len(records) > 1:
    return {'batchItemFailures': [{'itemIdentifier': records[-1]['dynamodb']['SequenceNumber']}]}
"""
    )
    stream = polling.table()
    for _ in range(3):
        polling.aws.client("dynamodb").update_item(
            TableName="orders",
            Key={"id": {"S": "a"}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
    polling.map_stream(stream, FunctionResponseTypes=["ReportBatchItemFailures"])
    seen = eventually(polling.seen, lambda seen: len(seen) == 2)
    assert [[record["dynamodb"]["NewImage"]["n"]["N"] for record in batch] for batch in seen] == [
        ["1", "2", "3"],
        ["3"],
    ]


def test_a_batch_that_fails_is_halved(polling: PollingCloud) -> None:
    polling.tells("if len(event['Records']) > 1:\n    raise ValueError('too many')")
    stream = polling.table()
    for number in range(2):
        polling.aws.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": "a"}, "n": {"N": str(number)}})
    polling.map_stream(stream, BisectBatchOnFunctionError=True)
    seen = eventually(polling.seen, lambda seen: len(seen) == 3)
    assert [len(batch) for batch in seen] == [2, 1, 1]


@pytest.mark.parametrize("reports", [False, True])
def test_of_halved_batches_only_what_fails_is_given_up(polling: PollingCloud, reports: bool) -> None:
    bad = "[each['dynamodb'] for each in event['Records'] if each['dynamodb']['NewImage']['n']['S'] == 'bad']"
    fails = "return {'batchItemFailures': [{'itemIdentifier': bad[0]['SequenceNumber']}]}"
    polling.tells(f"bad = {bad}\nif bad:\n    {fails if reports else 'raise ValueError'}")
    stream = polling.table()
    values = ["a", "b", "bad", "c", "d"]
    for value in values:
        polling.aws.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": "i"}, "n": {"S": value}})
    url = polling.queue("letters")
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{polling.account}:letters"}}
    more = {"FunctionResponseTypes": ["ReportBatchItemFailures"]} if reports else {}
    polling.map_stream(
        stream, BisectBatchOnFunctionError=True, MaximumRetryAttempts=0, DestinationConfig=destination, **more
    )

    def batches() -> list[list[str]]:
        return [[record["dynamodb"]["NewImage"]["n"]["S"] for record in batch] for batch in polling.seen()]

    seen = eventually(batches, lambda found: bool(found) and found[-1][-1] == "d" and "bad" not in found[-1])
    assert seen[0] == values
    done = [value for batch in seen for value in (batch[: batch.index("bad")] if "bad" in batch else batch)]
    assert done[-4:] == ["a", "b", "c", "d"]
    (letter,) = polling.aws.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    told = json.loads(letter["Body"])
    assert (told["DDBStreamBatchInfo"]["batchSize"], polling.left(url)) == (1, 1)
    assert told["requestContext"]["approximateInvokeCount"] == 1
    # It is there also where the function has answered which records have failed.
    assert told["responseContext"]["functionError"] == (None if reports else "Unhandled")


def test_a_deleted_mapping_polls_no_more(polling: PollingCloud) -> None:
    polling.tells()
    url = polling.queue()
    id = polling.map_queue()
    eventually(lambda: polling.client.get_event_source_mapping(UUID=id)["State"], lambda state: state == "Enabled")
    polling.client.delete_event_source_mapping(UUID=id)
    eventually(lambda: polling.client.list_event_source_mappings()["EventSourceMappings"], lambda found: not found)
    polling.send(url, "nobody")
    assert (polling.left(url), polling.seen()) == (1, [])
