"""The AWS CLI, as it is."""

from __future__ import annotations

import base64
import json
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import Client
from tests.e2e.conftest import MakeClient, changed, contents
from tests.standing import eventually

MIB = 2**20


@pytest.fixture
def cli(client: MakeClient) -> Client:
    """The CLI, in its version 1: PyPI has no other."""
    return client("aws")


def _json(cli: Client, *arguments: str | Path) -> Any:
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


@pytest.fixture
def zipped(tmp_path: Path) -> str:
    """The package of a function, as the CLI takes it."""
    source = """
def handler(event, context):
    print("an order of", event.get("name", "somebody"))
    return {"statusCode": 200, "body": "thank you", "path": event.get("rawPath")}
"""
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as file:
        file.writestr("app.py", source)
    return f"fileb://{tmp_path / 'shop.zip'}"


@pytest.fixture
def function(cli: Client, aws: Aws, zipped: str) -> str:
    """The ARN of a function that is active."""
    created = _json(
        cli, "lambda", "create-function", "--function-name", "shop",
        "--runtime", "python{}.{}".format(*sys.version_info),
        "--handler", "app.handler", "--role", f"arn:aws:iam::{aws.account}:role/shop", "--zip-file", zipped,
        "--environment", "Variables={STAGE=test}", "--timeout", "30",
    )  # fmt: skip
    cli.run("lambda", "wait", "function-active-v2", "--function-name", "shop")
    arn: str = created["FunctionArn"]
    return arn


def test_a_function_is_invoked_and_its_log_read(cli: Client, function: str, tmp_path: Path) -> None:
    payload = ("--payload", '{"name": "ann"}')
    told = _json(
        cli, "lambda", "invoke", "--function-name", "shop", *payload, "--log-type", "Tail", tmp_path / "answer"
    )
    assert (told["StatusCode"], told["ExecutedVersion"]) == (200, "$LATEST")
    assert b"an order of ann\n" in base64.b64decode(told["LogResult"])
    assert json.loads((tmp_path / "answer").read_text())["body"] == "thank you"

    group = ("--log-group-name", "/aws/lambda/shop")
    eventually(lambda: b"an order" in cli.attempt("logs", "filter-log-events", *group).stdout)
    stream = _json(cli, "logs", "describe-log-streams", *group, "--query", "logStreams[0].logStreamName")
    events = _json(cli, "logs", "get-log-events", *group, "--log-stream-name", stream, "--start-from-head")["events"]
    kinds = [event["message"].split()[0] for event in events]
    assert kinds == ["INIT_START", "START", "an", "END", "REPORT"]

    configured = _json(
        cli, "lambda", "update-function-configuration", "--function-name", "shop", "--memory-size", "256"
    )
    assert (configured["MemorySize"], configured["FunctionArn"]) == (256, function)
    cli.run("lambda", "wait", "function-updated-v2", "--function-name", "shop")
    assert _json(cli, "lambda", "publish-version", "--function-name", "shop")["Version"] == "1"
    missing = cli.attempt("lambda", "invoke", "--function-name", "none", tmp_path / "answer")
    assert b"(ResourceNotFoundException)" in missing.stderr


def test_quick_create_puts_a_function_behind_an_api(cli: Client, client: MakeClient, aws: Aws, function: str) -> None:
    api = _json(
        cli, "apigatewayv2", "create-api", "--name", "shop", "--protocol-type", "HTTP", "--target", function,
        "--route-key", "GET /orders/{id}", "--cors-configuration", "AllowOrigins=*",
    )  # fmt: skip
    allowed = f"arn:aws:execute-api:{aws.region}:{aws.account}:{api['ApiId']}/*/*/orders/{{id}}"
    cli.run(
        "lambda", "add-permission", "--function-name", "shop", "--statement-id", "api",
        "--action", "lambda:InvokeFunction", "--principal", "apigateway.amazonaws.com", "--source-arn", allowed,
    )  # fmt: skip
    curl = client("curl")
    assert curl.run("-sSf", f"{api['ApiEndpoint']}/orders/7") == "thank you"
    assert json.loads(curl.run("-sS", f"{api['ApiEndpoint']}/none")) == {"message": "Not Found"}
    stages = _json(
        cli, "apigatewayv2", "get-stages", "--api-id", api["ApiId"], "--query", "Items[].[StageName,AutoDeploy]"
    )
    assert stages == [["$default", True]]


def test_a_secure_string_is_put_and_read(cli: Client) -> None:
    name = ("--name", "/shop/password")
    made = _json(cli, "ssm", "put-parameter", *name, "--type", "SecureString", "--value", "hunter2")
    assert made == {"Version": 1, "Tier": "Standard"}
    value = ("--query", "Parameter.Value", "--output", "text")
    assert cli.run("ssm", "get-parameter", *name, *value) != "hunter2\n"
    assert cli.run("ssm", "get-parameter", *name, "--with-decryption", *value) == "hunter2\n"
    again = cli.attempt("ssm", "put-parameter", *name, "--value", "other")
    assert b"(ParameterAlreadyExists)" in again.stderr
    cli.run("ssm", "put-parameter", *name, "--value", "other", "--overwrite")
    listed = ("--path", "/shop", "--with-decryption", "--query", "Parameters[].[Name,Value,Version]")
    assert _json(cli, "ssm", "get-parameters-by-path", *listed) == [["/shop/password", "other", 2]]


def test_a_live_tail_is_printed(client: MakeClient, aws: Aws) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="shop")
    group = f"arn:aws:logs:{aws.region}:{aws.account}:log-group:shop"
    logs.create_log_stream(logGroupName="shop", logStreamName="web")
    # It would look for stream-localhost otherwise.
    cli = client("aws", AWS_DISABLE_HOST_PREFIX_INJECTION="true", PYTHONUNBUFFERED="1")
    arguments = ("logs", "start-live-tail", "--log-group-identifiers", group, "--log-event-filter-pattern", "order")
    with cli.running(*arguments) as printed, ThreadPoolExecutor(1) as threads:
        line = threads.submit(printed.readline)

        def log() -> bool:
            """Log something; what comes before the session has begun is not shown."""
            events = [{"timestamp": int(time.time() * 1000), "message": text} for text in ("noise", "an order")]
            logs.put_log_events(logGroupName="shop", logStreamName="web", logEvents=events)
            return bool(wait((line,), 0.1).done)

        eventually(log)
        assert line.result() == b"an order\n"
