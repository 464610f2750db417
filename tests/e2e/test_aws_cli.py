"""The AWS CLI, as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import Client
from tests.e2e.conftest import MakeClient, changed, contents

MIB = 2**20


@pytest.fixture
def cli(client: MakeClient) -> Client:
    """The CLI, in its version 1: PyPI has no other."""
    return client("aws")


def _json(cli: Client, *arguments: str) -> Any:
    return json.loads(cli.run(*arguments, "--output", "json") or "{}")


def test_a_folder_is_synced_up_and_down(cli: Client, bucket: str, tree: Path, tmp_path: Path) -> None:
    there = f"s3://{bucket}/backup"
    # An answer that the CLI waits for in vain is no answer.
    cli.run("--cli-read-timeout", "20", "s3", "sync", tree, there)
    assert cli.run("s3", "sync", tree, there) == "", "nothing has changed"

    changed(tree)
    said = cli.run("s3", "sync", tree, there, "--delete", "--no-progress").splitlines()
    assert sorted(line.split(":")[0] for line in said) == ["delete", "upload", "upload"]

    cli.run("s3", "sync", there, tmp_path / "restored")
    assert contents(tmp_path / "restored") == contents(tree)


def test_a_large_file_goes_in_parts(cli: Client, aws: Aws, bucket: str, tmp_path: Path) -> None:
    s3 = aws.client("s3")
    body = bytes(range(256)) * (20 * MIB // 256) + b"end"
    (tmp_path / "large").write_bytes(body)

    cli.run("s3", "cp", tmp_path / "large", f"s3://{bucket}/large", "--content-type", "text/x-large")
    head = s3.head_object(Bucket=bucket, Key="large")
    assert (head["ContentLength"], head["ContentType"]) == (len(body), "text/x-large")
    assert head["ETag"].endswith('-3"')

    cli.run("s3", "mv", f"s3://{bucket}/large", f"s3://{bucket}/moved")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["moved"]
    assert s3.head_object(Bucket=bucket, Key="moved")["ETag"].endswith('-3"'), "copied in parts too"

    cli.run("s3", "cp", f"s3://{bucket}/moved", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == body


def test_standard_input_is_stored_and_printed(cli: Client, bucket: str) -> None:
    cli.run("s3", "cp", "-", f"s3://{bucket}/stream", input=b"from a pipe")
    assert cli.run("s3", "cp", f"s3://{bucket}/stream", "-") == "from a pipe"


def test_a_presigned_url_is_fetched_by_curl(cli: Client, client: MakeClient, aws: Aws, bucket: str) -> None:
    curl = client("curl")
    aws.client("s3").put_object(Bucket=bucket, Key="a key/ü.txt", Body=b"0123456789")
    url = cli.run("s3", "presign", f"s3://{bucket}/a key/ü.txt", "--expires-in", "60").strip()
    assert curl.run("-sSf", url) == "0123456789"
    assert curl.run("-sSf", "-r", "2-4", url) == "234"
    assert "<Code>SignatureDoesNotMatch</Code>" in curl.run("-sS", url.replace("/a%20key/", "/another%20key/"))


def test_versions_of_an_object(cli: Client, bucket: str, tmp_path: Path) -> None:
    cli.run("s3api", "put-bucket-versioning", "--bucket", bucket, "--versioning-configuration", "Status=Enabled")
    (tmp_path / "body").write_text("first")
    one = _json(cli, "s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", str(tmp_path / "body"))
    cli.run("s3", "rm", f"s3://{bucket}", "--recursive")
    cli.run("s3api", "wait", "object-not-exists", "--bucket", bucket, "--key", "k")

    listed = _json(
        cli, "s3api", "list-object-versions", "--bucket", bucket,
        "--query", "[Versions[].[VersionId,IsLatest],DeleteMarkers[].IsLatest]",
    )  # fmt: skip
    assert listed == [[[one["VersionId"], False]], [True]]
    cli.run("s3api", "get-object", "--bucket", bucket, "--key", "k", "--version-id", one["VersionId"], tmp_path / "got")
    assert (tmp_path / "got").read_text() == "first"

    refused = cli.attempt("s3", "rb", f"s3://{bucket}")
    assert refused.returncode == 1
    assert b"(BucketNotEmpty)" in refused.stderr


def test_a_table_from_its_creation_to_its_end(cli: Client) -> None:
    cli.run(
        "dynamodb", "create-table", "--table-name", "orders", "--billing-mode", "PAY_PER_REQUEST",
        "--key-schema", "AttributeName=customer,KeyType=HASH", "AttributeName=number,KeyType=RANGE",
        "--attribute-definitions", "AttributeName=customer,AttributeType=S", "AttributeName=number,AttributeType=N",
    )  # fmt: skip
    cli.run("dynamodb", "wait", "table-exists", "--table-name", "orders")

    items = [
        {"PutRequest": {"Item": {"customer": {"S": "ann"}, "number": {"N": str(n)}, "paid": {"BOOL": n > 2}}}}
        for n in range(1, 6)
    ]
    assert _json(cli, "dynamodb", "batch-write-item", "--request-items", json.dumps({"orders": items})) == {
        "UnprocessedItems": {}
    }
    key = ("--table-name", "orders", "--key", '{"customer": {"S": "ann"}, "number": {"N": "3"}}')
    assert _json(cli, "dynamodb", "get-item", *key, "--projection-expression", "paid") == {
        "Item": {"paid": {"BOOL": True}}
    }

    query = (
        "dynamodb", "query", "--table-name", "orders",
        "--key-condition-expression", "customer = :c AND #n > :n", "--filter-expression", "attribute_exists(paid)",
        "--expression-attribute-names", '{"#n": "number"}',
        "--expression-attribute-values", '{":c": {"S": "ann"}, ":n": {"N": "1"}}', "--no-scan-index-forward",
    )  # fmt: skip
    first = _json(cli, *query, "--page-size", "2", "--max-items", "3")
    rest = _json(cli, *query, "--starting-token", first["NextToken"])
    numbers = [[item["number"]["N"] for item in page["Items"]] for page in (first, rest)]
    assert numbers == [["5", "4", "3"], ["2"]]

    refused = cli.attempt("dynamodb", "delete-item", *key, "--condition-expression", "attribute_not_exists(paid)")
    assert refused.returncode != 0
    assert b"(ConditionalCheckFailedException)" in refused.stderr

    cli.run("dynamodb", "delete-table", "--table-name", "orders")
    cli.run("dynamodb", "wait", "table-not-exists", "--table-name", "orders")


def test_a_topic_fans_out_to_a_queue(cli: Client, aws: Aws) -> None:
    # For SQS the CLI's version 1 ignores AWS_ENDPOINT_URL: https://github.com/aws/aws-cli/issues/8737
    sqs = ("--endpoint-url", aws.endpoint, "sqs")
    queue = _json(cli, *sqs, "create-queue", "--queue-name", "payments")["QueueUrl"]
    topic = _json(cli, "sns", "create-topic", "--name", "orders")["TopicArn"]
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:payments"
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]}
    attributes = json.dumps({"Policy": json.dumps(policy)})
    cli.run(*sqs, "set-queue-attributes", "--queue-url", queue, "--attributes", attributes)
    cli.run("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", arn)
    sent = _json(cli, "sns", "publish", "--topic-arn", topic, "--message", "a desk", "--subject", "order 1")

    received = _json(cli, *sqs, "receive-message", "--queue-url", queue, "--wait-time-seconds", "20")
    [message] = received["Messages"]
    told = json.loads(message["Body"])
    assert (told["MessageId"], told["Message"], told["Subject"]) == (sent["MessageId"], "a desk", "order 1")
    cli.run(*sqs, "delete-message", "--queue-url", queue, "--receipt-handle", message["ReceiptHandle"])
    assert _json(cli, *sqs, "receive-message", "--queue-url", queue) == {}
