"""Functions of Lambda that are run, as enrichments and as targets."""

from __future__ import annotations

import json

from tests.services.lambda_.cloud import FunctionCloud, package
from tests.services.pipes.cloud import PipesCloud
from tests.services.pipes.test_streams import Table
from tests.standing import eventually

_DOUBLING = """
def handler(events, context):
    return [{"n": event["body"]["n"] * 2} for event in events]
"""
_PICKY = """
def handler(events, context):
    bad = [event for event in events if event["body"] == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": event["messageId"]} for event in bad]}
"""


_STRICT = """
def handler(events, context):
    if any(event["dynamodb"]["Keys"]["k"]["S"] == "bad" for event in events):
        raise ValueError("bad")
"""
_NAMING = """
def handler(events, context):
    return [event["dynamodb"]["NewImage"]["text"]["S"][0] for event in events]
"""


def test_a_function_enriches(cloud: PipesCloud) -> None:
    functions = FunctionCloud(cloud.aws)
    functions.function(Code={"ZipFile": package({"index.py": _DOUBLING})})
    url, arn = cloud.queue()
    cloud.pipe(
        arn,
        Enrichment=functions.arn(),
        EnrichmentParameters={"InputTemplate": '{"body": <$.body>}'},
        TargetParameters={"InputTemplate": "<$.n>"},
    )
    for number in range(3):
        cloud.send({"n": number})
    assert sorted(cloud.bodies(url, 3)) == [0, 2, 4]


def test_only_what_a_function_names_as_failed_comes_again(cloud: PipesCloud) -> None:
    cloud.hurry()
    functions = FunctionCloud(cloud.aws)
    functions.function(Code={"ZipFile": package({"index.py": _PICKY})})
    dead, dead_arn = cloud.queue("dead")
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    cloud.sqs.set_queue_attributes(QueueUrl=cloud.source, Attributes={"RedrivePolicy": policy})
    for body in ("good", "bad"):
        cloud.send(body)
    cloud.pipe(functions.arn())
    (message,) = cloud.received(dead)
    assert message["Body"] == "bad"
    eventually(lambda: cloud.left(cloud.source), lambda left: left == 0)
    assert cloud.left(dead) == 0


def test_a_batch_is_halved_until_what_is_bad_is_alone(cloud: PipesCloud) -> None:
    functions = FunctionCloud(cloud.aws)
    functions.function(Code={"ZipFile": package({"index.py": _STRICT})})
    dead, dead_arn = cloud.queue("dead")
    table = Table(cloud)
    for key in ("a", "b", "bad", "c", "d", "e", "f", "g", "h"):
        table.put(key)
    source = {
        "StartingPosition": "TRIM_HORIZON",
        "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
        "MaximumRetryAttempts": 1,
        "DeadLetterConfig": {"Arn": dead_arn},
    }
    cloud.pipe(functions.arn(), source=table.stream, SourceParameters={"DynamoDBStreamParameters": source})
    (letter,) = cloud.bodies(dead)
    info = letter["DDBStreamBatchInfo"]
    assert (info["batchSize"], info["startSequenceNumber"]) == (1, info["endSequenceNumber"])
    assert cloud.left(dead) == 0


def test_a_function_gets_no_more_than_it_takes_at_once(cloud: PipesCloud) -> None:
    functions = FunctionCloud(cloud.aws)
    functions.function(Code={"ZipFile": package({"index.py": _NAMING})})
    table, letters = Table(cloud), "abcdefghij"
    for letter in letters:
        table.put("large", text={"S": letter * 390_000})
    url, arn = cloud.queue()
    source = {"StartingPosition": "TRIM_HORIZON", "BatchSize": 10, "MaximumBatchingWindowInSeconds": 2}
    parameters = {"DynamoDBStreamParameters": source}
    cloud.pipe(arn, source=table.stream, Enrichment=functions.arn(), SourceParameters=parameters)
    assert sorted(cloud.bodies(url, len(letters))) == list(letters)
