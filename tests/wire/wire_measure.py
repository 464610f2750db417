"""How long the wire layer takes, in microseconds: `python tests/wire/wire_measure.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from timeit import repeat
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import msgspec
from wire_client import botocore_model, built_request

from cloudlet.wire import HttpRequest, WireError, load

NAMES = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
ITEM = {name: {"S": "x" * 20} for name in NAMES[:8]} | {"n": {"N": "1"}, "l": {"L": [{"M": {"k": {"BOOL": True}}}]}}
MESSAGE = {"MessageId": "m" * 36, "ReceiptHandle": "r" * 120, "MD5OfBody": "d" * 32, "Body": "x" * 100}
METRIC = {"MetricName": "m", "Timestamp": 1.7e9, "Value": 1.5, "Dimensions": [{"Name": "n", "Value": "v"}]}
OBJECT = {"Key": "some/key", "LastModified": 1.7e9, "ETag": '"e"', "Size": 5, "StorageClass": "STANDARD"}
RESULT = {"MD5OfMessageBody": "d" * 32, "MessageId": "m" * 36}


def json_request(params: dict[str, Any]) -> HttpRequest:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.SendMessage"}
    return HttpRequest("POST", "/", "", headers, msgspec.json.encode(params))


def sent(service: str, name: str, protocol: str, params: dict[str, Any]) -> HttpRequest:
    return built_request(botocore_model(service).operation_model(name), protocol, params)


def parsing(service: str, name: str, protocol: str, request: HttpRequest) -> Callable[[], Any]:
    operation = load(service).operations[name]
    return lambda: operation.parse(protocol, request)


def writing(service: str, name: str, protocol: str, result: dict[str, Any]) -> Callable[[], Any]:
    operation = load(service).operations[name]
    return lambda: operation.serialize(protocol, result, "5b1f9e0c-5b7e-4c5f-9d3e-5b1f9e0c5b7e")


def main() -> None:
    message = {"QueueUrl": "http://localhost:4566/123456789012/queue", "MessageBody": "x" * 100}
    entries = [{"Id": name, "MessageBody": "x" * 100} for name in NAMES]
    form = HttpRequest(
        "POST", "/", "", {}, b"Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2Fq&MessageBody=" + b"x" * 100
    )
    put = HttpRequest("PUT", "/bucket/some/key", "", {"x-amz-meta-a": "b", "content-length": "3", "host": "h"}, b"abc")
    metrics = sent("cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor", {"Namespace": "n", "MetricData": [METRIC] * 10})
    error = WireError("QueueDoesNotExist", "The specified queue does not exist.")
    targets = {
        "sqs SendMessage, parse": parsing("sqs", "SendMessage", "json", json_request(message)),
        "sqs SendMessage, serialize": writing("sqs", "SendMessage", "json", RESULT),
        "sqs SendMessage, match": lambda: load("sqs").match(json_request_sent),
        "sqs SendMessageBatch of 10, parse": parsing(
            "sqs", "SendMessageBatch", "json", json_request({"QueueUrl": "q", "Entries": entries})
        ),
        "sqs ReceiveMessage of 10, serialize": writing("sqs", "ReceiveMessage", "json", {"Messages": [MESSAGE] * 10}),
        "sqs QueueDoesNotExist, serialize": lambda: load("sqs").serialize_error("json", error, "r"),
        "sqs SendMessage, query, parse": parsing("sqs", "SendMessage", "query", form),
        "sqs SendMessage, query, serialize": writing("sqs", "SendMessage", "query", RESULT),
        "dynamodb PutItem of 10, parse": parsing(
            "dynamodb", "PutItem", "json", json_request({"TableName": "table", "Item": ITEM})
        ),
        "dynamodb GetItem of 10, serialize": writing("dynamodb", "GetItem", "json", {"Item": ITEM}),
        "cloudwatch PutMetricData of 10, cbor, parse": parsing(
            "cloudwatch", "PutMetricData", "smithy-rpc-v2-cbor", metrics
        ),
        "kinesis PutRecord, parse": parsing(
            "kinesis", "PutRecord", "json", json_request({"StreamName": "s", "Data": b"x" * 100, "PartitionKey": "p"})
        ),
        "lambda Invoke, parse": parsing(
            "lambda", "Invoke", "rest-json", HttpRequest("POST", "/2015-03-31/functions/f/invocations", "", {}, b"{}")
        ),
        "s3 PutObject, match": lambda: load("s3").match(put),
        "s3 PutObject, parse": parsing("s3", "PutObject", "rest-xml", put),
        "s3 GetObject, serialize": writing(
            "s3", "GetObject", "rest-xml", {"Body": b"abc", "ContentLength": 3, "ETag": '"e"', "LastModified": 1.7e9}
        ),
        "s3 ListObjectsV2 of 100, serialize": writing(
            "s3", "ListObjectsV2", "rest-xml", {"Name": "b", "KeyCount": 100, "Contents": [OBJECT] * 100}
        ),
    }
    for name, call in targets.items():
        call()
        count = 2_000
        best = min(repeat(call, number=count, repeat=5)) / count
        sys.stdout.write(f"{name:45} {best * 1e6:9.2f} µs\n")


json_request_sent = json_request({"QueueUrl": "q", "MessageBody": "m"})

if __name__ == "__main__":
    main()
