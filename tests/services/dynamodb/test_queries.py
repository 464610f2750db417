"""Query and Scan: order, conditions, pages, segments, filters, what is selected, and where one can begin."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.dynamodb.conftest import MakeTable, index

Item = dict[str, Any]


def key(p: str, c: int) -> Item:
    return {"p": {"S": p}, "c": {"N": str(c)}}


@pytest.fixture
def table(db: Any, make_table: MakeTable) -> str:
    """Partitions a, b and c with the sort keys -5 to 4, and an attribute that tells even ones."""
    make_table("numbers", "p:S c:N")
    for p in "abc":
        requests = [
            {"PutRequest": {"Item": {**key(p, c), "even": {"BOOL": c % 2 == 0}, "x": {"S": f"{p}{c}"}}}}
            for c in range(-5, 5)
        ]
        db.batch_write_item(RequestItems={"numbers": requests})
    return "numbers"


def sort_keys(answer: dict[str, Any]) -> list[int]:
    return [int(item["c"]["N"]) for item in answer["Items"]]


def query(db: Any, table: str, condition: str = "p = :p", p: str = "a", **more: Any) -> dict[str, Any]:
    values = {":p": {"S": p}, **more.pop("values", {})}
    answer: dict[str, Any] = db.query(
        TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values, **more
    )
    return answer


def pages(call: Any, **parameters: Any) -> Iterator[dict[str, Any]]:
    """Yield all pages of a Query or a Scan."""
    while True:
        page = call(**parameters)
        yield page
        if "LastEvaluatedKey" not in page:
            return
        parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def test_a_partition_in_both_orders(db: Any, table: str) -> None:
    answer = query(db, table)
    assert sort_keys(answer) == list(range(-5, 5))
    assert (answer["Count"], answer["ScannedCount"]) == (10, 10)
    assert sort_keys(query(db, table, ScanIndexForward=False)) == list(range(4, -6, -1))
    assert query(db, table, p="nobody")["Items"] == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("c = :1", [1]),
        ("c < :1", [-5, -4, -3, -2, -1, 0]),
        ("c <= :1", [-5, -4, -3, -2, -1, 0, 1]),
        ("c > :1", [2, 3, 4]),
        ("c >= :1", [1, 2, 3, 4]),
        ("c BETWEEN :0 AND :1", [-2, -1, 0, 1]),
    ],
)
def test_conditions_on_a_number(db: Any, table: str, condition: str, expected: list[int]) -> None:
    values = {f":{n}": {"N": v} for n, v in (("0", "-2"), ("1", "1")) if f":{n}" in condition}
    assert sort_keys(query(db, table, f"p = :p AND {condition}", values=values)) == expected
    backwards = query(db, table, f"p = :p AND {condition}", values=values, ScanIndexForward=False)
    assert sort_keys(backwards) == expected[::-1]


@pytest.mark.parametrize("kind", ["S", "B"])
def test_a_beginning_and_the_order_of_texts_and_bytes(db: Any, make_table: MakeTable, kind: str) -> None:
    table = make_table("texts", f"p:S c:{kind}")
    texts = ["a", "a\x00", "a\x00b", "ab", "b", "ä", "\uffff", "\U0001f600"]

    def value(text: str) -> Item:
        return {kind: text if kind == "S" else text.encode()}

    for text in reversed(texts):
        db.put_item(TableName=table, Item={"p": {"S": "a"}, "c": value(text)})
    assert [item["c"] for item in query(db, table)["Items"]] == [value(text) for text in texts]
    found = query(db, table, "p = :p AND begins_with(c, :c)", values={":c": value("a")})["Items"]
    assert [item["c"] for item in found] == [value(text) for text in texts[:4]]
    found = query(db, table, "p = :p AND c > :c", values={":c": value("a")})["Items"]
    assert [item["c"] for item in found] == [value(text) for text in texts[1:]]


@pytest.mark.parametrize("limit", [1, 3, 10, 11])
@pytest.mark.parametrize("forward", [True, False])
def test_pages_of_a_query(db: Any, table: str, limit: int, forward: bool) -> None:
    found = list(
        pages(
            db.query,
            TableName=table,
            KeyConditionExpression="p = :p",
            ExpressionAttributeValues={":p": {"S": "b"}},
            Limit=limit,
            ScanIndexForward=forward,
        )
    )
    assert [c for page in found for c in sort_keys(page)] == list(range(-5, 5))[:: 1 if forward else -1]
    # A page that is full is followed by another one, even if nothing is left.
    assert len(found) == 10 // limit + 1
    assert all(page["Count"] <= limit for page in found)


@pytest.mark.parametrize("limit", [1, 7, 30, 100])
def test_pages_of_a_scan_have_each_item_once(db: Any, table: str, limit: int) -> None:
    found = [item["x"]["S"] for page in pages(db.scan, TableName=table, Limit=limit) for item in page["Items"]]
    assert sorted(found) == sorted(f"{p}{c}" for p in "abc" for c in range(-5, 5))


@pytest.mark.parametrize("total", [1, 2, 7, 1000])
def test_segments_of_a_scan_have_each_item_once(db: Any, make_table: MakeTable, total: int) -> None:
    table = make_table("spread", "p:N")
    for start in range(0, 100, 25):
        requests = [{"PutRequest": {"Item": {"p": {"N": str(n)}}}} for n in range(start, start + 25)]
        db.batch_write_item(RequestItems={table: requests})
    segments = [
        [
            item["p"]["N"]
            for page in pages(db.scan, TableName=table, TotalSegments=total, Segment=n, Limit=9)
            for item in page["Items"]
        ]
        for n in range(total)
    ]
    assert sorted(chain.from_iterable(segments), key=int) == [str(n) for n in range(100)]
    assert total == 1 or sum(map(bool, segments)) > 1


def test_a_page_ends_at_one_megabyte(db: Any, make_table: MakeTable) -> None:
    table = make_table("large", "p:S c:N")
    text = "x" * (100 * 1024)
    for c in range(25):
        db.put_item(TableName=table, Item={**key("a", c), "text": {"S": text}})
    first = query(db, table)
    assert first["Count"] == 11
    assert first["LastEvaluatedKey"] == key("a", 10)
    second = query(db, table, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert sort_keys(second) == list(range(11, 22))
    # What a filter leaves out counts as well.
    filtered = query(db, table, FilterExpression="c2 = :none", values={":none": {"S": ""}})
    assert (filtered["Count"], filtered["ScannedCount"]) == (0, 11)
    assert sum(page["Count"] for page in pages(db.scan, TableName=table)) == 25


@pytest.mark.parametrize("forward", [True, False])
def test_what_a_local_index_fetches_is_part_of_the_page(db: Any, make_table: MakeTable, forward: bool) -> None:
    large = make_table("large", "p:S c:N", attributes="x:N", LocalSecondaryIndexes=[index("by-x", "p x", "KEYS_ONLY")])
    for number in range(7):
        db.put_item(TableName=large, Item={**key("a", number), "x": {"N": str(number)}, "text": {"S": "x" * 300_000}})
    pages = db.get_paginator("query").paginate(
        TableName=large,
        IndexName="by-x",
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
        Select="ALL_ATTRIBUTES",
        ScanIndexForward=forward,
        ReturnConsumedCapacity="INDEXES",
    )
    found = [(page["Count"], page["ConsumedCapacity"]["Table"]["CapacityUnits"]) for page in pages]
    assert found == [(4, 148.0), (3, 111.0)]


def test_a_filter_is_applied_after_the_limit(db: Any, table: str) -> None:
    answer = query(db, table, FilterExpression="even = :t", values={":t": {"BOOL": True}}, Limit=4)
    assert sort_keys(answer) == [-4, -2]
    assert (answer["Count"], answer["ScannedCount"]) == (2, 4)
    scanned = db.scan(TableName=table, FilterExpression="even = :t", ExpressionAttributeValues={":t": {"BOOL": True}})
    assert (scanned["Count"], scanned["ScannedCount"]) == (15, 30)


def test_a_query_filters_by_other_attributes_than_its_keys(db: Any, table: str) -> None:
    message = "Filter Expression can only contain non-primary key attributes: Primary key attribute: c"
    with pytest.raises(ClientError, match=message):
        query(db, table, FilterExpression="c = :c", values={":c": {"N": "1"}})
    found = db.scan(TableName=table, FilterExpression="c = :c", ExpressionAttributeValues={":c": {"N": "1"}})
    assert found["Count"] == 3


def test_what_is_selected(db: Any, table: str) -> None:
    counted = query(db, table, Select="COUNT")
    assert counted["Count"] == 10
    assert "Items" not in counted
    assert query(db, table, ProjectionExpression="x", Limit=1)["Items"] == [{"x": {"S": "a-5"}}]
    for wrong, message in (
        ({"Select": "COUNT", "ProjectionExpression": "x"}, "Cannot specify the ProjectionExpression when choosing"),
        ({"Select": "SPECIFIC_ATTRIBUTES"}, "Must specify the AttributesToGet or ProjectionExpression"),
        ({"Select": "ALL_PROJECTED_ATTRIBUTES"}, "can be used only when Querying using an IndexName"),
    ):
        with pytest.raises(ClientError, match=message):
            query(db, table, **wrong)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"p": {"S": "a"}}, "The provided starting key is invalid"),
        ({**key("a", 1), "x": {"S": "1"}}, "The provided starting key is invalid"),
        ({"p": {"S": "a"}, "c": {"S": "1"}}, "The provided key element does not match the schema"),
        (key("b", 1), "The provided starting key is outside query boundaries based on provided conditions"),
    ],
)
def test_where_a_query_cannot_begin(db: Any, table: str, start: Item, message: str) -> None:
    with pytest.raises(ClientError) as error:
        query(db, table, ExclusiveStartKey=start)
    assert error.value.response["Error"]["Message"] == message


def test_where_a_scan_cannot_begin(db: Any, table: str) -> None:
    for start in ({"p": {"S": "a"}}, {**key("a", 1), "x": {"S": "1"}}, {"p": {"S": "a"}, "c": {"S": "1"}}):
        with pytest.raises(ClientError) as error:
            db.scan(TableName=table, ExclusiveStartKey=start)
        assert error.value.response["Error"]["Message"] == (
            "The provided starting key is invalid: The provided key element does not match the schema"
        )


def test_a_query_of_a_range_begins_within_it(db: Any, table: str) -> None:
    with pytest.raises(ClientError, match="The provided starting key does not match the range key predicate"):
        query(db, table, "p = :p AND c > :c", values={":c": {"N": "2"}}, ExclusiveStartKey=key("a", 1))


def test_a_query_begins_behind_a_key_that_need_not_be_there(db: Any, table: str) -> None:
    start = {"p": {"S": "a"}, "c": {"N": "0.5"}}
    assert sort_keys(query(db, table, ExclusiveStartKey=start)) == [1, 2, 3, 4]
    assert sort_keys(query(db, table, ExclusiveStartKey=start, ScanIndexForward=False)) == [0, -1, -2, -3, -4, -5]


def test_a_partition_of_a_table_without_a_sort_key_is_one_page(db: Any, make_table: MakeTable) -> None:
    plain = make_table("plain", "p:S")
    db.put_item(TableName=plain, Item={"p": {"S": "a"}})
    pages = db.get_paginator("query").paginate(
        TableName=plain,
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
        PaginationConfig={"PageSize": 1},
    )
    assert [page["Items"] for page in pages] == [[{"p": {"S": "a"}}]]
    with pytest.raises(ClientError) as error:
        db.query(
            TableName=plain,
            KeyConditionExpression="p = :p",
            ExpressionAttributeValues={":p": {"S": "a"}},
            ExclusiveStartKey={"p": {"S": "a"}},
        )
    assert error.value.response["Error"]["Message"] == (
        "The provided exclusive start key is invalid: ExclusiveStartKey: {p=AttributeValue: {S:a}}"
    )


def test_segments_that_make_no_sense(db: Any, table: str) -> None:
    for wrong, message in (
        ({"Segment": 0}, "The TotalSegments parameter is required"),
        ({"TotalSegments": 2}, "The Segment parameter is required"),
        ({"TotalSegments": 2, "Segment": 2}, "Segment: 2 is not less than TotalSegments: 2"),
    ):
        with pytest.raises(ClientError, match=message):
            db.scan(TableName=table, **wrong)
    first = db.scan(TableName=table, TotalSegments=2, Segment=0, Limit=1)
    last = db.scan(TableName=table, TotalSegments=2, Segment=1, Limit=1)
    start = (first if first["Items"] else last)["LastEvaluatedKey"]
    with pytest.raises(ClientError, match="Please use ExclusiveStartKey with correct Segment"):
        db.scan(TableName=table, TotalSegments=2, Segment=1 if first["Items"] else 0, ExclusiveStartKey=start)


def test_pages_of_an_index_go_on_between_items_of_one_key(db: Any, make_table: MakeTable) -> None:
    table = make_table("same", "p:S c:N", attributes="x:S", GlobalSecondaryIndexes=[index("by-x", "x")])
    for c in range(7):
        db.put_item(TableName=table, Item={**key("a", c), "x": {"S": "same"}})
    for call, more in (
        (db.query, {"KeyConditionExpression": "x = :x", "ExpressionAttributeValues": {":x": {"S": "same"}}}),
        (db.scan, {}),
    ):
        found = list(pages(call, TableName=table, IndexName="by-x", Limit=2, **more))
        assert [c for page in found for c in sort_keys(page)] == list(range(7))
        assert found[0]["LastEvaluatedKey"] == {**key("a", 1), "x": {"S": "same"}}


def test_a_query_needs_a_key_condition(db: Any, table: str) -> None:
    with pytest.raises(ClientError, match="Either the KeyConditions or KeyConditionExpression parameter must be"):
        db.query(TableName=table)
