"""What is there to break DynamoDB: what is nested too deeply, and numbers that are too large."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.buckets import let_in

KEY = {
    "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
SECONDS = 20


def imported(dynamodb: Any, bucket: str, table: str, form: str) -> dict[str, Any]:
    """Import all that is in a bucket; return what became of that."""
    arn = dynamodb.import_table(
        S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": form},
        InputFormat=form,
        TableCreationParameters={"TableName": table, **KEY},
    )["ImportTableDescription"]["ImportArn"]
    end = time.monotonic() + SECONDS
    while True:
        description: dict[str, Any] = dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]
        if description["ImportStatus"] != "IN_PROGRESS":
            return description
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        (
            "DYNAMODB_JSON",
            [b'{"Item":{"p":{"M":' + b'{"a":{"M":' * 50_000, b'{"Item":' + b"[" * 50_000, b'{"Item":{"p":{"S":"ok"}}}'],
        ),
        (
            "ION",
            [
                b"$ion_1_0 {Item:{p:" + b"a::" * 5_000 + b'"x"}}',
                b'$ion_1_0 {Item:{p:"\\UFFFFFFFF"}}',
                b'$ion_1_0 {Item:{p:"ok"}}',
            ],
        ),
    ],
)
def test_a_line_that_is_nested_without_end_is_an_error_of_that_line(aws: Aws, form: str, lines: list[bytes]) -> None:
    s3, dynamodb, bucket = aws.client("s3"), aws.client("dynamodb"), f"of-nests-{aws.account}"
    s3.create_bucket(Bucket=bucket)
    let_in(s3, bucket, "dynamodb.amazonaws.com")
    s3.put_object(Bucket=bucket, Key=f"{form}/lines", Body=b"\n".join(lines))

    done = imported(dynamodb, bucket, "nests", form)

    assert (done["ImportStatus"], done["ImportedItemCount"], done["ErrorCount"]) == ("COMPLETED", 1, 2)
    assert dynamodb.scan(TableName="nests")["Items"] == [{"p": {"S": "ok"}}]


def test_an_element_has_a_place_in_its_list(aws: Aws) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(TableName="lists", **KEY)
    with pytest.raises(ClientError, match="List index is not within the allowable range"):
        dynamodb.execute_statement(Statement=f"SELECT a[{'9' * 5_000}] FROM lists")
