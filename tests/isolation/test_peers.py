"""Blocks that call each other from process to process."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from cloudlet.testing.server import Aws, Server
from tests.commands import blocks, cloudlet, free_port
from tests.standing import eventually

ROOT = {"aws_access_key_id": "AKIAROOT", "aws_secret_access_key": "secret"}
ROOT_KEY = "123456789012:AKIAROOT:secret"


def subscribed(aws: Aws, policy: bool, **keys: str) -> tuple[Any, str, Any, str]:
    """Return clients, a topic, and a queue that is subscribed to it and, where `policy`, admits it alone."""
    sns, sqs = aws.client("sns", **keys), aws.client("sqs", **keys)
    topic = sns.create_topic(Name="t")["TopicArn"]
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    if policy:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Statement": [statement]})})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return sns, topic, sqs, queue


def received(sqs: Any, queue: str) -> list[str]:
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=10)
    return [message["Body"] for message in found.get("Messages", [])]


def test_a_topic_reaches_a_queue_in_another_process(isolated: Aws) -> None:
    sns, topic, sqs, queue = subscribed(isolated, policy=False)
    sns.publish(TopicArn=topic, Message="hello")
    assert received(sqs, queue) == ["hello"]
    told = blocks(isolated.endpoint)
    assert told["sns"]["process"] != told["sqs"]["process"]


def test_a_queue_policy_sees_which_topic_calls_in_strict_mode() -> None:
    with Server.start("--isolate", "--ephemeral", "--auth", "strict", "--root-key", ROOT_KEY) as server:
        sns, topic, sqs, queue = subscribed(Aws(server.endpoint, "123456789012"), policy=True, **ROOT)
        sns.publish(TopicArn=topic, Message="admitted")
        assert received(sqs, queue) == ["admitted"]
        other = sns.create_topic(Name="other")["TopicArn"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=other, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        sns.publish(TopicArn=other, Message="refused")
        sns.publish(TopicArn=topic, Message="admitted again")
        assert received(sqs, queue) == ["admitted again"]


def test_publishing_goes_on_while_sqs_is_stopped(isolated: Aws) -> None:
    sns, topic, sqs, queue = subscribed(isolated, policy=False)
    port = isolated.endpoint.rpartition(":")[2]
    assert cloudlet("block", "stop", "sqs", "--port", port).returncode == 0
    published = {str(number) for number in range(25)}
    for message in sorted(published):
        sns.publish(TopicArn=topic, Message=message)
    assert cloudlet("block", "start", "sqs", "--port", port).returncode == 0
    arrived: set[str] = set()
    while arrived != published:
        bodies = received(sqs, queue)
        assert bodies, f"missing: {published - arrived}"
        arrived |= set(bodies)


def test_a_function_is_made_of_a_large_object(isolated: Aws) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("index.py", "import os\ndef handler(event, context): return os.path.getsize('picture')")
        file.writestr("picture", bytes(20_000_000))
    s3, functions = isolated.client("s3"), isolated.client("lambda")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="package", Body=package.getvalue())
    functions.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Handler="index.handler",
        Role=f"arn:aws:iam::{isolated.account}:role/f",
        Code={"S3Bucket": "code", "S3Key": "package"},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    assert functions.invoke(FunctionName="f")["Payload"].read() == b"20000000"


def test_a_table_is_made_of_a_large_object(isolated: Aws) -> None:
    s3, dynamodb = isolated.client("s3"), isolated.client("dynamodb")
    s3.create_bucket(Bucket="exports")
    items = "".join(json.dumps({"Item": {"id": {"S": f"{number:0200}"}}}) + "\n" for number in range(500))
    s3.put_object(Bucket="exports", Key="items.json", Body=items.encode())
    arn = dynamodb.import_table(
        S3BucketSource={"S3Bucket": "exports"},
        InputFormat="DYNAMODB_JSON",
        TableCreationParameters={
            "TableName": "items",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )["ImportTableDescription"]["ImportArn"]
    eventually(
        lambda: dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]["ImportStatus"],
        lambda status: status != "IN_PROGRESS",
    )
    assert dynamodb.scan(TableName="items", Select="COUNT")["Count"] == 500


def test_blocks_that_are_served_alone_find_each_other(tmp_path: Any) -> None:
    data = ("--data", str(tmp_path))
    sqs_port = free_port()
    with (
        Server.serve("sqs", "--listen", f"127.0.0.1:{sqs_port}", *data) as sqs_server,
        Server.serve(
            "sns", "--listen", "127.0.0.1:0", "--peer", f"sqs=http://127.0.0.1:{sqs_port}", *data
        ) as sns_server,
    ):
        account = "123456789012"
        sqs = Aws(sqs_server.endpoint, account).client("sqs")
        sns = Aws(sns_server.endpoint, account).client("sns")
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        sns.publish(TopicArn=topic, Message="across")
        assert received(sqs, queue) == ["across"]
