"""The trace header of a request goes with its messages (X-Ray developer guide, "Amazon SQS and AWS X-Ray")."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.traced import TRACE, trace_of, traced

OTHER = "Root=1-5e3d83c1-aaaaaaaaaaaaaaaaaaaaaaaa;Sampled=0"
ATTRIBUTE = {"AWSTraceHeader": {"DataType": "String", "StringValue": OTHER}}


@pytest.fixture
def url(aws: Aws) -> str:
    return str(aws.client("sqs").create_queue(QueueName="q")["QueueUrl"])


def test_the_header_of_a_request_becomes_an_attribute_of_its_message(aws: Aws, url: str) -> None:
    sqs = traced(aws, "sqs")
    sent = sqs.send_message(QueueUrl=url, MessageBody="a")
    assert "MD5OfMessageSystemAttributes" not in sent
    assert trace_of(sqs, url) == TRACE


def test_the_attribute_goes_before_the_header(aws: Aws, url: str) -> None:
    sqs = traced(aws, "sqs")
    sqs.send_message(QueueUrl=url, MessageBody="a", MessageSystemAttributes=ATTRIBUTE)
    assert trace_of(sqs, url) == OTHER


def test_the_header_of_a_batch_goes_with_all_of_its_messages_that_have_no_attribute(aws: Aws, url: str) -> None:
    sqs = traced(aws, "sqs")
    entries: list[dict[str, Any]] = [
        {"Id": "a", "MessageBody": "a"},
        {"Id": "b", "MessageBody": "b", "MessageSystemAttributes": ATTRIBUTE},
        {"Id": "c", "MessageBody": "c"},
    ]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [trace_of(sqs, url) for _ in entries] == [TRACE, OTHER, TRACE]


def test_what_is_much_longer_than_a_header_is_refused(aws: Aws, url: str) -> None:
    system = {"AWSTraceHeader": {"DataType": "String", "StringValue": "x" * 1_025}}
    code, message = refused(
        aws.client("sqs").send_message, QueueUrl=url, MessageBody="a", MessageSystemAttributes=system
    )
    assert code == "InvalidParameterValue"
    assert message == "The value of message system attribute 'AWSTraceHeader' is no trace header."


def test_a_message_without_a_trace_has_none(aws: Aws, url: str) -> None:
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="a")
    assert trace_of(sqs, url) is None


def test_the_header_does_not_count_as_part_of_the_message(aws: Aws) -> None:
    sqs = traced(aws, "sqs")
    url = sqs.create_queue(QueueName="small", Attributes={"MaximumMessageSize": "1024"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x" * 1024)
    assert trace_of(sqs, url) == TRACE
