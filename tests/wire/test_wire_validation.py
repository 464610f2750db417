"""Constraints of the model, in AWS's words."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cloudlet.wire import HttpRequest, InvalidRequest, load
from cloudlet.wire.catalog import SERVICES
from cloudlet.wire.patterns import translate


def json_request(body: Any) -> HttpRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpRequest("POST", "/", "", {"content-type": "application/x-amz-json-1.0"}, raw)


def refused(service: str, operation: str, body: Any, protocol: str = "json") -> InvalidRequest:
    request = body if isinstance(body, HttpRequest) else json_request(body)
    with pytest.raises(InvalidRequest) as caught:
        load(service).operations[operation].parse(protocol, request)
    return caught.value


def test_missing_members() -> None:
    error = refused("sqs", "SendMessage", {})
    assert error.code == "ValidationException"
    assert error.message == (
        "2 validation errors detected: Value null at 'queueUrl' failed to satisfy constraint: Member must not be null; "
        "Value null at 'messageBody' failed to satisfy constraint: Member must not be null"
    )
    assert [(found.kind, found.member) for found in error.violations] == [
        ("required", "QueueUrl"),
        ("required", "MessageBody"),
    ]


def test_lengths_patterns_and_enums() -> None:
    error = refused("dynamodb", "DescribeTable", {"TableName": ""})
    assert "Member must have length greater than or equal to 1" in error.message
    error = refused("kinesis", "CreateStream", {"StreamName": "a b", "ShardCount": 0})
    assert error.message == (
        "2 validation errors detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy "
        "regular expression pattern: [a-zA-Z0-9_.-]+; Value '0' at 'shardCount' failed to satisfy constraint: Member "
        "must have value greater than or equal to 1"
    )
    error = refused("kinesis", "GetShardIterator", {"StreamName": "s", "ShardId": "1", "ShardIteratorType": "X"})
    assert error.message == (
        "1 validation error detected: Value 'X' at 'shardIteratorType' failed to satisfy constraint: Member must "
        "satisfy enum value set: [AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER, TRIM_HORIZON, LATEST, AT_TIMESTAMP]"
    )


def test_what_is_sensitive_is_not_shown() -> None:
    error = refused("cognito-idp", "ChangePassword", {"ProposedPassword": " ", "AccessToken": "a b"})
    assert " '" not in error.message.replace(" at '", "")
    assert "Value at 'proposedPassword' failed to satisfy constraint: Member must satisfy regular" in error.message


def test_paths_through_lists_and_maps() -> None:
    error = refused("kms", "TagResource", {"KeyId": "k", "Tags": [{"TagKey": "a", "TagValue": "b"}, {"TagKey": ""}]})
    assert [found.path for found in error.violations] == ["tags.2.member.tagValue", "tags.2.member.tagKey"]
    error = refused("dynamodb", "BatchWriteItem", {"RequestItems": {"table": []}})
    assert error.message == (
        "1 validation error detected: Value '{table=[]}' at 'requestItems' failed to satisfy constraint: Map value "
        "must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater "
        "than or equal to 1]"
    )
    (violation,) = error.violations
    assert (violation.kind, violation.limit, violation.member) == ("min_length", 1, "RequestItems")


def test_without_checks_only_types_count() -> None:
    operation = load("sqs").operations["SendMessage"]
    assert operation.parse("json", json_request({"QueueUrl": "q"}), check=False) == {"QueueUrl": "q"}
    with pytest.raises(InvalidRequest):
        operation.parse("json", json_request({"QueueUrl": 5}), check=False)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"QueueUrl": 5}', "NUMBER_VALUE can not be converted to a String"),
        (b'{"QueueUrl": true}', "TRUE_VALUE can not be converted to a String"),
        (b'{"DelaySeconds": "5"}', "STRING_VALUE can not be converted to an Integer"),
        (b'{"DelaySeconds": 1e30}', "Numeric value out of range of Integer"),
        (b'{"QueueUrl": []}', "Start of list found where not expected"),
        (b'{"QueueUrl": {}}', "Start of structure or map found where not expected."),
        (b'{"QueueUrl": "', "Unexpected end-of-input"),
        (b"[]", "Start of list found where not expected"),
    ],
)
def test_types(body: bytes, message: str) -> None:
    error = refused("sqs", "SendMessage", body)
    assert (error.code, error.message) == ("SerializationException", message)


def test_a_whole_number_may_be_too_large_for_a_double() -> None:
    for number in (b"1" + b"0" * 400, b"-1" + b"0" * 400):
        body = b'{"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": %b}]}' % number
        error = refused("cloudwatch", "PutMetricData", body)
        assert (error.code, error.message) == ("SerializationException", "Numeric value out of range of Double")


def test_what_json_may_leave_open() -> None:
    body = {"QueueUrl": "q", "MessageBody": "m", "DelaySeconds": 5.0, "MessageAttributes": None, "Unknown": [1]}
    params = load("sqs").operations["SendMessage"].parse("json", json_request(body))
    assert params == {"QueueUrl": "q", "MessageBody": "m", "DelaySeconds": 5}
    assert type(params["DelaySeconds"]) is int


def form_request(text: str) -> HttpRequest:
    return HttpRequest("POST", "/", "", {"content-type": "application/x-www-form-urlencoded"}, text.encode())


def test_a_form_has_a_limited_number_of_parts() -> None:
    for form in ("&" * 200_000, "&".join(f"{number}" + ".a" * 60 for number in range(6000))):
        error = refused("sqs", "SendMessage", form_request(form), "query")
        assert error.code == "MalformedQueryString"


def test_a_date_is_one_of_the_calendar_in_utc_too() -> None:
    for date in ("9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"):
        text = f"Action=GetMetricStatistics&Namespace=n&MetricName=m&Period=60&StartTime={date}&EndTime={date}"
        error = refused("cloudwatch", "GetMetricStatistics", form_request(text.replace("+", "%2B")), "query")
        assert error.code == "MalformedInput"


def test_the_query_family() -> None:
    error = refused("sqs", "SendMessage", form_request("Action=SendMessage&QueueUrl=q"), "query")
    assert (error.code, error.message) == (
        "MissingParameter",
        "The request must contain the parameter MessageBody.",
    )
    error = refused("ec2", "DescribeInstanceAttribute", form_request("Attribute=instanceType"), "ec2")
    assert (error.code, error.message) == ("MissingParameter", "The request must contain the parameter InstanceId.")
    error = refused("iam", "GetRole", form_request("Action=GetRole&RoleName=a%20b"), "query")
    assert (error.code, error.message) == (
        "ValidationError",
        "1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: Member must satisfy "
        "regular expression pattern: [\\w+=,.@-]+",
    )
    error = refused("iam", "ListRoles", form_request("MaxItems=many"), "query")
    assert error.code == "MalformedInput"


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ("Bearer of words, and more", True),
        (" \tbetween \t spaces\t", True),
        ("\t", False),
        ("", False),
        # There were 2^60 ways to take the spaces for what is between words or for a part of one.
        ("a " * 60 + "\xe9", False),
        ("a\n", False),
    ],
)
def test_headers_with_many_words(value: str, is_right: bool) -> None:
    for service, name in (("events", "HeaderValue"), ("pipes", "HeaderValue")):
        pattern = translate(load(service).shapes[name].pattern or "")
        assert pattern is not None
        assert (re.search(pattern, value) is not None) == is_right


def test_what_is_much_too_long_is_not_held_against_its_pattern() -> None:
    for text, kinds in (("!" * 256, ["max_length", "pattern"]), ("!" * 257, ["max_length"])):
        error = refused("dynamodb", "ImportTable", {"S3BucketSource": {"S3Bucket": text}})
        assert [found.kind for found in error.violations if found.path == "s3BucketSource.s3Bucket"] == kinds


def test_every_pattern_of_the_models_is_understood() -> None:
    patterns = set()
    for service in SERVICES:
        model = load(service)
        for name in model.shapes:
            pattern = model.shapes[name].pattern
            if pattern:
                patterns.add(pattern)
    assert len(patterns) > 500
    assert {pattern for pattern in patterns if translate(pattern) is None} == set()


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "ä 中1_", "a\tb"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "a😹\n", "\x01"),
        (r"\P{C}+", "ab", "a\x00"),
        (r"[\w-_]*", "a-_", "a b"),
        (r"[a-z]+", "abc", "abcD"),
        (r"^[a-z]+", "abc", "abc\n"),
    ],
)
def test_patterns_match_the_whole_value(pattern: str, good: str, bad: str) -> None:
    import re

    translated = translate(pattern)
    assert translated is not None
    assert re.search(translated, good)
    assert not re.search(translated, bad)


def test_of_a_million_violations_some_are_told() -> None:
    events = [{"timestamp": 1}] * 10_000
    error = refused("logs", "PutLogEvents", {"logGroupName": "g", "logStreamName": "s", "logEvents": events})
    assert error.message.startswith("100 validation errors detected: Value null at 'logEvents.1.member.message'")
