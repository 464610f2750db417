"""What is there to break DynamoDB: what is nested too deeply, and numbers that are too large."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.expressions import Substitutions, parse_condition, predicates
from cloudlet.services.dynamodb.expressions.set_values import Given
from cloudlet.services.dynamodb.expressions.updates import Set, Update
from cloudlet.services.dynamodb.item_data.values import equal
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
    for number, line in enumerate(lines):
        s3.put_object(Bucket=bucket, Key=f"{form}/{number}", Body=line)

    done = imported(dynamodb, bucket, "nests", form)

    assert (done["ImportStatus"], done["ImportedItemCount"], done["ErrorCount"]) == ("FAILED", 1, 2)
    assert dynamodb.scan(TableName="nests")["Items"] == [{"p": {"S": "ok"}}]


def test_an_element_has_a_place_in_its_list(aws: Aws) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(TableName="lists", **KEY)
    with pytest.raises(ClientError, match="List index is not within the allowable range"):
        dynamodb.execute_statement(Statement=f"SELECT a[{'9' * 5_000}] FROM lists")


def test_what_a_long_expression_says_again_and_again_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def noted(left: Any, right: Any) -> bool:
        compared.append((left, right))
        return bool(equal(left, right))

    monkeypatch.setattr(predicates, "equal", noted)
    many = " OR ".join(["(x = :v AND NOT x IN (:v, :w))"] * 60)
    values = {":v": {"L": [{"N": "1"}]}, ":w": {"L": [{"N": "2"}]}}
    condition = parse_condition(many, Substitutions(None, values))
    assert not condition.matches({"x": values[":w"]})
    assert len(compared) == 1
    assert not condition.matches({"x": values[":v"]})
    assert len(compared) == 3
    assert not condition.matches({})
    assert condition.attributes == {"x"}
    assert predicates.weight(condition) == 60 * 4


class Walked(list[Any]):
    """Counts how often somebody looks at all members."""

    walks = 0

    def __iter__(self) -> Iterator[Any]:
        Walked.walks += 1
        return super().__iter__()


def test_a_large_value_that_is_set_in_many_places_is_measured_once() -> None:
    value = {"L": Walked([{"S": "x" * 1_000}] * 100)}
    update = Update([Set((f"a{number}",), Given(value)) for number in range(400)])
    with pytest.raises(AwsError, match="Item size to update has exceeded the maximum allowed size"):
        update.apply({"p": {"S": "1"}})
    assert Walked.walks == 1


def test_one_large_value_in_as_many_places_as_there_is_room_for(aws: Aws) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(TableName="rooms", **KEY)

    def update(places: int) -> None:
        dynamodb.update_item(
            TableName="rooms",
            Key={"p": {"S": "a"}},
            UpdateExpression="SET " + ", ".join(f"a{number} = :x" for number in range(places)),
            ExpressionAttributeValues={":x": {"S": "x" * 40_000}},
        )

    update(10)
    with pytest.raises(ClientError, match="Item size to update has exceeded the maximum allowed size"):
        update(11)
    assert len(dynamodb.get_item(TableName="rooms", Key={"p": {"S": "a"}})["Item"]) == 11
