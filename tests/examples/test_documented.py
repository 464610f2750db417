"""The examples that docs/testing.md and docs/from-moto.md show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import boto3
import pytest


# --8<-- [start:account]
def test_a_message_comes_back_until_it_is_deleted(aws):
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="a desk")
    for _ in range(2):
        [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
        assert message["Body"] == "a desk"


# --8<-- [end:account]


# --8<-- [start:moto]
def place_order(text):
    """The code under test: it makes its own client."""
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="orders")["QueueUrl"], MessageBody=text)


@pytest.mark.usefixtures("aws_environment")
def test_an_order_is_queued():
    sqs = boto3.client("sqs")
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]

    place_order("a desk")

    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == "a desk"


# --8<-- [end:moto]


# --8<-- [start:module]
@pytest.fixture(scope="module")
def catalogue(cloudlet_server):
    with cloudlet_server.account() as aws:
        aws.client("s3").create_bucket(Bucket="catalogue")
        yield aws


def test_a_picture_is_added(catalogue):
    catalogue.client("s3").put_object(Bucket="catalogue", Key="desk.jpg", Body=b"...")


# --8<-- [end:module]


def test_the_environment_of_one_test_is_gone_in_the_next(aws_environment: Any, aws: Any) -> None:
    assert aws_environment is aws
    assert boto3.client("sts").get_caller_identity()["Account"] == aws.account
    assert boto3.client("sqs").list_queues().get("QueueUrls", []) == []


def test_each_example_is_shown_on_a_page() -> None:
    docs = Path(__file__).parents[2] / "docs"
    shown = (docs / "testing.md").read_text() + (docs / "from-moto.md").read_text()
    names = re.findall(r"8<-- \[start:(\w+)\]", Path(__file__).read_text())
    assert names
    for name in names:
        assert f'\n--8<-- "tests/examples/test_documented.py:{name}"\n' in shown
