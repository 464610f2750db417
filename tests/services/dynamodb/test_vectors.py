"""Vector indexes: in line with their table, and searched exactly."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.dynamodb.conftest import MakeTable

Item = dict[str, Any]


def vector(*numbers: float) -> Item:
    return {"L": [{"N": str(number)} for number in numbers]}


def vector_index(
    name: str, dimensions: int = 2, distance: str = "EUCLIDEAN", *, schema: str = "", projection: str = "ALL"
) -> dict[str, Any]:
    """Return a vector index on the attribute v; `schema` is "HASH:a INLINE_FILTER:b"."""
    index: dict[str, Any] = {
        "IndexName": name,
        "VectorAttribute": {"AttributeName": "v"},
        "Projection": {"ProjectionType": projection},
        "Dimensions": dimensions,
        "DistanceFunction": distance,
    }
    if schema:
        index["SearchSchema"] = [
            {"AttributeName": attribute, "SearchSchemaElementType": kind}
            for kind, attribute in (part.split(":") for part in schema.split())
        ]
    return index


def put(db: Any, table: str, p: str, *numbers: float, **strings: str) -> None:
    item = {"p": {"S": p}, **{name: {"S": value} for name, value in strings.items()}}
    if numbers:
        item["v"] = vector(*numbers)
    db.put_item(TableName=table, Item=item)


def search(db: Any, table: str, name: str, *numbers: float, count: int = 10, **more: Any) -> list[tuple[str, float]]:
    """Return the keys and scores of what is found."""
    answer = db.search_vectors(TableName=table, IndexName=name, SearchVector=vector(*numbers)["L"], TopK=count, **more)
    return [(found["Item"]["p"]["S"], found["Score"]) for found in answer["SearchResults"]]


def where(**values: str) -> dict[str, Any]:
    """Return a SearchConditionExpression of equalities."""
    return {
        "SearchConditionExpression": " AND ".join(f"{name} = :{name}" for name in values),
        "ExpressionAttributeValues": {f":{name}": {"S": value} for name, value in values.items()},
    }


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        ("EUCLIDEAN", [("near", 1.0), ("far", 5.0), ("opposite", 4.0)]),
        ("DOT_PRODUCT", [("far", 6.0), ("near", 4.0), ("opposite", -4.0)]),
        ("COSINE", [("near", 0.0), ("far", 0.4), ("opposite", 2.0)]),
    ],
)
def test_scores(db: Any, make_table: MakeTable, distance: str, expected: list[tuple[str, float]]) -> None:
    table = make_table("things", "p:S", VectorIndexes=[vector_index("by-v", 2, distance)])
    put(db, table, "near", 2, 0)
    put(db, table, "far", 3, 4)
    put(db, table, "opposite", -2, 0)
    query = (2.0, 0.0) if distance != "EUCLIDEAN" else (2.0, 1.0)
    found = search(db, table, "by-v", *query)
    if distance == "EUCLIDEAN":
        expected = [("near", 1.0), ("far", math.dist((3, 4), query)), ("opposite", math.dist((-2, 0), query))]
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected])
    assert search(db, table, "by-v", *query, count=1) == found[:1]


def test_the_best_of_many_are_found(db: Any, make_table: MakeTable) -> None:
    table = make_table("many", "p:S", VectorIndexes=[vector_index("by-v", 3)])
    chance = random.Random(7)
    points = {str(n): tuple(chance.uniform(-1, 1) for _ in range(3)) for n in range(200)}
    names = list(points)
    for start in range(0, 200, 25):
        requests = [
            {"PutRequest": {"Item": {"p": {"S": name}, "v": vector(*points[name])}}}
            for name in names[start : start + 25]
        ]
        db.batch_write_item(RequestItems={table: requests})
    best = sorted(names, key=lambda name: math.dist(points[name], (0, 0, 0)))[:20]
    assert [name for name, _ in search(db, table, "by-v", 0, 0, 0, count=20)] == best


def test_an_index_follows_its_table(db: Any, make_table: MakeTable) -> None:
    table = make_table("things", "p:S", VectorIndexes=[vector_index("by-v")])
    put(db, table, "a", 1, 0)
    put(db, table, "b", 0, 1)
    put(db, table, "a", 5, 0)
    assert search(db, table, "by-v", 5, 0)[0] == ("a", 0.0)
    [described] = db.describe_table(TableName=table)["Table"]["VectorIndexes"]
    assert (described["ItemCount"], described["IndexStatus"], described["Dimensions"]) == (2, "ACTIVE", 2)
    db.update_item(TableName=table, Key={"p": {"S": "a"}}, UpdateExpression="REMOVE v")
    assert [name for name, _ in search(db, table, "by-v", 5, 0)] == ["b"]
    db.delete_item(TableName=table, Key={"p": {"S": "b"}})
    assert search(db, table, "by-v", 5, 0) == []
    assert db.describe_table(TableName=table)["Table"]["VectorIndexes"][0]["ItemCount"] == 0


def test_what_is_no_vector_is_written_and_not_found(db: Any, make_table: MakeTable) -> None:
    table = make_table("things", "p:S", VectorIndexes=[vector_index("by-v")])
    put(db, table, "none")
    put(db, table, "long", 1, 2, 3)
    put(db, table, "large", 1, 1e100)
    db.put_item(TableName=table, Item={"p": {"S": "text"}, "v": {"L": [{"S": "1"}, {"S": "2"}]}})
    assert search(db, table, "by-v", 0, 0) == []
    assert db.scan(TableName=table)["Count"] == 4


def test_a_partition_and_filters(db: Any, make_table: MakeTable) -> None:
    table = make_table(
        "things",
        "p:S",
        attributes="shop:S color:S",
        VectorIndexes=[vector_index("by-v", schema="HASH:shop INLINE_FILTER:color", projection="KEYS_ONLY")],
    )
    put(db, table, "1", 1, 0, shop="a", color="red", note="x")
    put(db, table, "2", 2, 0, shop="a", color="blue")
    put(db, table, "3", 1, 0, shop="b", color="red")
    put(db, table, "4", 1, 0, color="red")
    put(db, table, "5", 9, 0, shop="a")
    assert [name for name, _ in search(db, table, "by-v", 0, 0, **where(shop="a"))] == ["1", "2", "5"]
    assert [name for name, _ in search(db, table, "by-v", 0, 0, **where(shop="a", color="red"))] == ["1"]
    answer = db.search_vectors(
        TableName=table, IndexName="by-v", SearchVector=vector(0, 0)["L"], TopK=1, **where(shop="b")
    )
    assert answer["SearchResults"][0]["Item"] == {"p": {"S": "3"}, "shop": {"S": "b"}, "color": {"S": "red"}}
    for condition, message in (
        ({}, "SearchConditionExpression must be provided when SearchSchema has a HASH key"),
        (where(color="red"), "must contain the HASH key of the SearchSchema: shop"),
        (where(shop="a", note="x"), "can only contain attributes of the SearchSchema: note"),
        (
            {**where(shop="a"), "SearchConditionExpression": "shop >= :shop"},
            "Invalid comparator used in SearchConditionExpression",
        ),
        ({**where(shop="a"), "ProjectionExpression": "note"}, r"Vector index by-v does not project \[note\]"),
    ):
        with pytest.raises(ClientError, match=message):
            search(db, table, "by-v", 0, 0, **condition)


def test_an_index_on_a_live_table(db: Any, make_table: MakeTable) -> None:
    table = make_table("things", "p:S")
    for number in range(100):
        put(db, table, str(number), number, 0)
    db.update_table(TableName=table, VectorIndexUpdates=[{"Create": vector_index("by-v")}])
    put(db, table, "0", 1000, 0)
    deadline = time.monotonic() + 30
    while (index := db.describe_table(TableName=table)["Table"]["VectorIndexes"][0])["IndexStatus"] != "ACTIVE":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert index["ItemCount"] == 100
    assert search(db, table, "by-v", 1001, 0, count=2) == [("0", 1.0), ("99", 902.0)]
    db.update_table(TableName=table, VectorIndexUpdates=[{"Delete": {"IndexName": "by-v"}}])
    assert "VectorIndexes" not in db.describe_table(TableName=table)["Table"]
    with pytest.raises(ClientError, match="does not have the specified vector index: by-v"):
        search(db, table, "by-v", 0, 0)


def test_what_a_search_may_ask_for(db: Any, make_table: MakeTable) -> None:
    table = make_table("things", "p:S", VectorIndexes=[vector_index("by-v")])
    with pytest.raises(ClientError, match="Provided TopK value is out of valid range"):
        search(db, table, "by-v", 0, 0, count=101)
    with pytest.raises(ClientError, match="SearchVector must be a list of 2 numbers"):
        search(db, table, "by-v", 0, 0, 0)
    with pytest.raises(ClientError, match="Scan is not supported on vector index: by-v"):
        db.scan(TableName=table, IndexName="by-v")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"VectorIndexes": [vector_index("by-v", 4097)]}, "Dimensions must be between 1 and 4096"),
        ({"VectorIndexes": [vector_index("by-v"), vector_index("by-v")]}, "Duplicate index name: by-v"),
        ({"VectorIndexes": [vector_index("by-v"), vector_index("v-by", 3)]}, "must have the same number of dimensions"),
        ({"VectorIndexes": [vector_index("by-v", schema="HASH:a")]}, "One element in SearchSchema is not defined"),
        (
            {
                "VectorIndexes": [vector_index("by-v")],
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
            },
            "only supported on tables with BillingMode PAY_PER_REQUEST",
        ),
    ],
)
def test_indexes_that_cannot_be(db: Any, make_table: MakeTable, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        make_table("things", "p:S", **given)
