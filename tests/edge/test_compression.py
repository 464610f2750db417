"""Compressed answers, asked for in all the ways that DynamoDB understands."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from cloudlet.edge.response_compression import CODINGS, coding, compress
from cloudlet.testing.server import Aws


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", None),
        ("identity", None),
        ("br, zstd", None),
        ("gzip, deflate", "gzip"),
        ("br, deflate, GZIP", "deflate"),
        ("gzip;q=0.5, deflate; q=0.8", "deflate"),
        ("gzip;q=0", None),
        ("*", "gzip"),
        ("*, gzip;q=0.5", "deflate"),
        ("*;q=0, br", None),
        ("gzip;q=x", "gzip"),
        ("deflate;q=-1, gzip;q=0.1", "gzip"),
        ("gzip;q=0, gzip", "gzip"),
        ("gzip;q=nan", None),
    ],
)
def test_the_coding_that_a_client_asks_for(accepted: str, chosen: str | None) -> None:
    assert coding(accepted) == chosen


@pytest.mark.parametrize("name", CODINGS)
def test_what_is_compressed_is_read_again(name: str) -> None:
    body = b"cloudlet " * 10_000
    packed = compress(body, name)
    assert len(packed) < len(body) // 10
    assert zlib.decompress(packed, wbits=CODINGS[name]) == body


def test_large_answers_of_dynamodb_are_compressed_for_who_asks(aws: Aws) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName="packed",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for size in (100, 100_000):
        dynamodb.put_item(TableName="packed", Item={"id": {"S": str(size)}, "text": {"S": "x" * size}})
    sizes: list[int] = []

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["Accept-Encoding"] = "deflate"

    def unpack(response_dict: dict[str, Any], **_: Any) -> None:
        sizes.append(len(response_dict["body"]))
        # It is of what is sent: see the SDK for Go, v2, service/dynamodb/internal/customizations.
        assert response_dict["headers"]["x-amz-crc32"] == str(zlib.crc32(response_dict["body"]))
        if response_dict["headers"].get("content-encoding") == "deflate":
            response_dict["body"] = zlib.decompress(response_dict["body"])

    dynamodb.meta.events.register("before-call.dynamodb.GetItem", ask)
    dynamodb.meta.events.register("before-parse.dynamodb.GetItem", unpack)
    for size in (100, 100_000):
        item = dynamodb.get_item(TableName="packed", Key={"id": {"S": str(size)}})["Item"]
        assert item["text"]["S"] == "x" * size
    assert sizes[0] > 100
    assert sizes[1] < 1_000
