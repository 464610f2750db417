"""boto3's resources, with what they do on top of single calls."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr, Key
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws

MIB = 2**20
IN_PARTS = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=5 * MIB)


@pytest.fixture
def objects(aws: Aws, bucket: str) -> Any:
    """A bucket of the resource API."""
    return aws.resource("s3").Bucket(bucket)


@pytest.fixture
def table(aws: Aws) -> Any:
    """A table of orders: by customer and number, and by state and number."""
    made = aws.resource("dynamodb").create_table(
        TableName="orders",
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
            {"AttributeName": "state", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-state",
                "KeySchema": [
                    {"AttributeName": "state", "KeyType": "HASH"},
                    {"AttributeName": "number", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    made.wait_until_exists()
    return made


def test_a_file_goes_up_and_down_in_parts(objects: Any, tmp_path: Path) -> None:
    body = bytes(range(256)) * (17 * MIB // 256) + b"end"
    (tmp_path / "up").write_bytes(body)
    sent: list[int] = []
    arguments = {"ContentType": "video/mp4", "Metadata": {"who": "ann"}, "ChecksumAlgorithm": "SHA256"}
    objects.upload_file(str(tmp_path / "up"), "film", ExtraArgs=arguments, Config=IN_PARTS, Callback=sent.append)

    film = objects.Object("film")
    assert (film.content_length, film.content_type, film.metadata) == (len(body), "video/mp4", {"who": "ann"})
    assert film.e_tag.endswith('-4"')
    assert sum(sent) == len(body)
    film.download_file(str(tmp_path / "down"), Config=IN_PARTS)
    assert (tmp_path / "down").read_bytes() == body

    copy = objects.Object("copy")
    copy.copy({"Bucket": objects.name, "Key": "film"}, Config=IN_PARTS)
    into = io.BytesIO()
    copy.download_fileobj(into, Config=IN_PARTS)
    assert into.getvalue() == body


def test_a_failed_upload_leaves_no_parts(objects: Any) -> None:
    class Breaks(io.RawIOBase):
        def __init__(self) -> None:
            self.left = 12 * MIB

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            if self.left <= 0:
                raise OSError("the disk is broken")
            self.left -= len(buffer)
            return len(buffer)

    with pytest.raises(OSError, match="the disk is broken"):
        objects.upload_fileobj(io.BufferedReader(Breaks()), "film", Config=IN_PARTS)
    assert list(objects.objects.all()) == []
    assert list(objects.multipart_uploads.all()) == []


def test_an_open_file_of_any_size_is_a_body(objects: Any) -> None:
    for size in (0, 5, 0, 3 * MIB, 0):
        objects.put_object(Key=f"of-{size}", Body=io.BytesIO(b"x" * size))
    assert {each.key: each.size for each in objects.objects.all()} == {"of-0": 0, "of-5": 5, f"of-{3 * MIB}": 3 * MIB}


def test_collections_are_paged_filtered_and_deleted(objects: Any) -> None:
    keys = [f"{folder}/{n:03}" for folder in ("logs", "music") for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: objects.put_object(Key=key, Body=key.encode()), keys))
    assert [each.key for each in objects.objects.page_size(7)] == keys
    assert [each.key for each in objects.objects.filter(Prefix="music/", Marker="music/037")] == [
        "music/038",
        "music/039",
    ]
    assert objects.objects.filter(Prefix="logs/").limit(1).pages().__next__()[0].get()["Body"].read() == b"logs/000"

    objects.objects.filter(Prefix="logs/").delete()
    assert [each.key for each in objects.objects.all()] == keys[40:]


def test_versions_are_read_and_removed(objects: Any) -> None:
    objects.Versioning().enable()
    note = objects.Object("note")
    for body in (b"one", b"two"):
        note.put(Body=body)
    note.delete()
    with pytest.raises(ClientError) as caught:
        note.get()
    assert caught.value.response["Error"]["Code"] == "NoSuchKey"

    versions = list(objects.object_versions.filter(Prefix="note"))
    assert [version.is_latest for version in versions if version.size is not None] == [False, False]
    assert {version.get()["Body"].read() for version in versions if version.size is not None} == {b"one", b"two"}
    [marker] = [version for version in versions if version.size is None]
    marker.delete()
    assert note.get()["Body"].read() == b"two"
    objects.object_versions.delete()
    objects.delete()
    objects.wait_until_not_exists()


def test_a_batch_of_items_is_written_and_read_in_pages(table: Any, aws: Aws) -> None:
    with table.batch_writer(overwrite_by_pkeys=["customer", "number"]) as batch:
        for number in range(60):
            batch.put_item(Item={"customer": "ann", "number": number, "state": "new", "note": "x" * 2000})
        batch.put_item(Item={"customer": "ann", "number": 59, "state": "paid", "price": Decimal("12.50")})
        batch.delete_item(Key={"customer": "ann", "number": 0})

    asked = {"KeyConditionExpression": Key("customer").eq("ann") & Key("number").between(5, 100), "Limit": 20}
    numbers: list[int] = []
    pages = 0
    while True:
        page = table.query(**asked)
        numbers += [int(item["number"]) for item in page["Items"]]
        pages += 1
        if "LastEvaluatedKey" not in page:
            break
        asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    assert numbers == list(range(5, 60))
    assert pages == 3

    found = aws.client("dynamodb").get_paginator("scan").paginate(TableName="orders", PaginationConfig={"PageSize": 25})
    assert [page["Count"] for page in found] == [25, 25, 9]


def test_items_are_updated_where_a_condition_holds(table: Any) -> None:
    key = {"customer": "ann", "number": 1}
    table.put_item(
        Item={
            **key,
            "state": "new",
            "total": Decimal("9.99"),
            "tags": {"a", "b"},
            "address": {"street": "Elm"},
            "scan_of": b"\0\1",
        },
        ConditionExpression=Attr("customer").not_exists(),
    )
    with pytest.raises(table.meta.client.exceptions.ConditionalCheckFailedException) as caught:
        table.put_item(Item=key, ConditionExpression=Attr("customer").not_exists())
    assert caught.value.response["Error"]["Message"] == "The conditional request failed"

    changed = table.update_item(
        Key=key,
        UpdateExpression="SET #s = :paid, #t = #t + :more, address.city = :city ADD tags :tags REMOVE scan_of",
        ConditionExpression=Attr("state").eq("new") & Attr("total").lt(10),
        ExpressionAttributeNames={"#s": "state", "#t": "total"},
        ExpressionAttributeValues={":paid": "paid", ":more": Decimal("0.01"), ":city": "Ulm", ":tags": {"c"}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    assert changed == {
        **key, "state": "paid", "total": Decimal("10.00"), "tags": {"a", "b", "c"},
        "address": {"street": "Elm", "city": "Ulm"},
    }  # fmt: skip


def test_an_index_is_queried_and_scanned_with_conditions(table: Any) -> None:
    with table.batch_writer() as batch:
        for number in range(10):
            state = "paid" if number % 2 else "new"
            batch.put_item(Item={"customer": f"c{number}", "number": number, "state": state, "sum": number * 10})
    found = table.query(
        IndexName="by-state",
        KeyConditionExpression=Key("state").eq("paid") & Key("number").gte(3),
        FilterExpression=Attr("sum").is_in([50, 70]) | Attr("customer").begins_with("c9"),
        ProjectionExpression="customer",
        ScanIndexForward=False,
    )
    assert [item["customer"] for item in found["Items"]] == ["c9", "c7", "c5"]
    assert found["ScannedCount"] == 4

    segments = [table.scan(Segment=n, TotalSegments=3)["Items"] for n in range(3)]
    assert sorted(item["customer"] for items in segments for item in items) == [f"c{number}" for number in range(10)]


def test_a_batch_of_keys_is_read_with_python_types(table: Any, aws: Aws) -> None:
    item = {"customer": "ann", "number": 1, "nested": {"list": [1, Decimal("2.5"), None, True, {"deep": {"x"}}]}}
    table.put_item(Item=item)
    keys = [{"customer": "ann", "number": number} for number in (1, 2)]
    found = aws.resource("dynamodb").batch_get_item(RequestItems={"orders": {"Keys": keys}})
    assert found["Responses"] == {"orders": [item]}
    assert found["UnprocessedKeys"] == {}
