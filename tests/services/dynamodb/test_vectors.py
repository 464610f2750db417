"""Vector indexes: in line with their table, and searched exactly."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.services.dynamodb.tables import backfill
from tests.services.dynamodb.conftest import MakeTable
from tests.services.dynamodb.local import LocalDynamo

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


def wait(state: Callable[[], str], wanted: str) -> None:
    deadline = time.monotonic() + 30
    while state() != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def active(db: Any, table: str) -> Item:
    """Return the description of the only vector index, once it is filled."""

    def described() -> Item:
        return db.describe_table(TableName=table)["Table"]["VectorIndexes"][0]  # type: ignore[no-any-return]

    wait(lambda: described()["IndexStatus"], "ACTIVE")
    return described()


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
    [(name, score), _] = search(db, table, "by-v", 5, 0)
    assert (name, str(score)) == ("a", "0.0")
    [described] = db.describe_table(TableName=table)["Table"]["VectorIndexes"]
    assert (described["ItemCount"], described["IndexStatus"], described["Dimensions"]) == (2, "ACTIVE", 2)
    # For each item eight bytes of its vector, and two of its key.
    assert described["IndexSizeBytes"] == 20
    db.update_item(TableName=table, Key={"p": {"S": "a"}}, UpdateExpression="REMOVE v")
    assert db.describe_table(TableName=table)["Table"]["VectorIndexes"][0]["IndexSizeBytes"] == 10
    assert [name for name, _ in search(db, table, "by-v", 5, 0)] == ["b"]
    db.delete_item(TableName=table, Key={"p": {"S": "b"}})
    assert search(db, table, "by-v", 5, 0) == []
    assert db.describe_table(TableName=table)["Table"]["VectorIndexes"][0]["ItemCount"] == 0


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (vector(1, 2, 3), "Invalid size for parameter v, Expected: 2, Actual: 3"),
        (vector(1, 1e100), "Invalid value for parameter v: its members must be 32-bit floating point numbers"),
        ({"L": [{"N": "1"}, {"S": "2"}]}, r"Invalid type for parameter v\[1\], Expected: N, Actual: S"),
        ({"NS": ["1", "2"]}, "Invalid type for parameter v, Expected: L, Actual: NS"),
    ],
)
def test_what_is_no_vector_is_refused(db: Any, make_table: MakeTable, value: Item, problem: str) -> None:
    table = make_table("things", "p:S", VectorIndexes=[vector_index("by-v")])
    message = f"One or more parameter values were invalid: {problem}. IndexName: by-v$"
    with pytest.raises(ClientError, match=message):
        db.put_item(TableName=table, Item={"p": {"S": "a"}, "v": value})
    put(db, table, "a")
    change = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": value}}
    with pytest.raises(ClientError, match=message):
        db.update_item(TableName=table, Key={"p": {"S": "a"}}, **change)
    assert search(db, table, "by-v", 0, 0) == []


def test_items_of_before_the_index_may_have_no_vectors(db: Any, make_table: MakeTable) -> None:
    table = make_table("things", "p:S")
    put(db, table, "long", 1, 2, 3)
    put(db, table, "fits", 1, 2)
    db.put_item(TableName=table, Item={"p": {"S": "text"}, "v": {"S": "1, 2"}})
    db.update_table(TableName=table, VectorIndexUpdates=[{"Create": vector_index("by-v")}])
    assert active(db, table)["ItemCount"] == 1
    assert search(db, table, "by-v", 1, 2) == [("fits", 0.0)]


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
    assert [name for name, _ in search(db, table, "by-v", 0, 0, **where(color="blue", shop="a"))] == ["2"]
    nested = {**where(shop="a", color="red"), "SearchConditionExpression": "color = :color AND (shop = :shop)"}
    assert [name for name, _ in search(db, table, "by-v", 0, 0, **nested)] == ["1"]
    for condition, message in (
        ({}, "SearchConditionExpression must be provided when SearchSchema has a HASH key"),
        *(
            ({**where(shop="a"), "SearchConditionExpression": wrong}, "an equality on the HASH key: shop")
            for wrong in ("color = :shop", "shop >= :shop", "shop IN (:shop)", "shop = :shop OR color = :shop")
        ),
        (
            {**where(shop="a"), "SearchConditionExpression": "shop = :shop AND (color = :shop OR shop = :shop)"},
            "must contain only one condition on the HASH key: shop",
        ),
        (where(shop="a", note="x"), "can only contain attributes of the SearchSchema: note"),
        (
            {"SearchConditionExpression": "shop = :a", "ExpressionAttributeValues": {":a": {"N": "1"}}},
            "Condition parameter type does not match schema type",
        ),
        *(
            ({**where(shop="a"), "SearchConditionExpression": wrong}, f"^.*: Invalid SearchConditionExpression: {said}")
            for wrong, said in (
                ("shop <> :shop", "Invalid comparator used in SearchConditionExpression$"),
                ("NOT shop = :shop", "Invalid operator used in SearchConditionExpression$"),
                ("attribute_exists(shop) AND shop = :shop", "Invalid operator used in SearchConditionExpression$"),
                (":shop = shop", "A condition of a SearchConditionExpression compares an attribute with values"),
                ("shop.a = :shop", "SearchConditionExpressions cannot have conditions on nested attributes"),
                ("shop = color AND shop = :shop", "A condition of a SearchConditionExpression compares an attribute"),
            )
        ),
    ):
        with pytest.raises(ClientError, match=message):
            search(db, table, "by-v", 0, 0, **condition)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("price = :2", {2}),
        ("price < :2", {1}),
        ("price <= :2", {1, 2}),
        ("price > :2", {3, 4}),
        ("price >= :2 AND price < :4", {2, 3}),
        ("price BETWEEN :2 AND :3", {2, 3}),
        ("price IN (:1, :4)", {1, 4}),
        ("price = :1 OR price > :3", {1, 4}),
        ("color = :red AND (price = :1 OR price = :2)", {1}),
        ("color > :blue", {1, 3}),
    ],
)
def test_conditions_on_what_is_filtered_by(dynamo: LocalDynamo, condition: str, expected: set[int]) -> None:
    index = vector_index("by-v", schema="INLINE_FILTER:price INLINE_FILTER:color")
    dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("p", "S"), ("price", "N"), ("color", "S"))
        ],
        BillingMode="PAY_PER_REQUEST",
        VectorIndexes=[index],
    )
    colors = {1: {"color": {"S": "red"}}, 2: {"color": {"S": "blue"}}, 3: {"color": {"S": "red"}}}
    for price in (1, 2, 3, 4):
        item = {"p": {"S": str(price)}, "price": {"N": str(price)}, "v": vector(price, 0), **colors.get(price, {})}
        dynamo.call("PutItem", TableName="orders", Item=item)
    dynamo.call("PutItem", TableName="orders", Item={"p": {"S": "9"}, "v": vector(0, 0)})
    values = {f":{n}": {"N": str(n)} for n in (1, 2, 3, 4)} | {f":{color}": {"S": color} for color in ("red", "blue")}
    found = dynamo.call(
        "SearchVectors",
        TableName="orders",
        IndexName="by-v",
        SearchVector=vector(0, 0)["L"],
        TopK=10,
        SearchConditionExpression=condition,
        ExpressionAttributeValues={name: value for name, value in values.items() if name in condition},
    )["SearchResults"]
    assert [int(each["Item"]["p"]["S"]) for each in found] == sorted(expected)


def test_who_lacks_the_partition_key_is_written_and_not_found(db: Any, make_table: MakeTable) -> None:
    table = make_table("things", "p:S", attributes="shop:S", VectorIndexes=[vector_index("by-v", schema="HASH:shop")])
    put(db, table, "a", 1, 0, shop="x")
    put(db, table, "b", 2, 0, shop="x")
    db.update_item(TableName=table, Key={"p": {"S": "a"}}, UpdateExpression="REMOVE shop")
    assert search(db, table, "by-v", 0, 0, **where(shop="x")) == [("b", 2.0)]
    put(db, table, "b", 2, 0, shop="y")
    assert search(db, table, "by-v", 0, 0, **where(shop="x")) == []
    assert search(db, table, "by-v", 0, 0, **where(shop="y")) == [("b", 2.0)]
    with pytest.raises(ClientError, match="Type mismatch for Index Key shop Expected: S Actual: N IndexName: by-v"):
        db.put_item(TableName=table, Item={"p": {"S": "c"}, "shop": {"N": "1"}})
    with pytest.raises(ClientError, match=r"cannot contain an empty string value\. IndexName: by-v, IndexKey: shop"):
        put(db, table, "c", 1, 0, shop="")


@pytest.mark.parametrize(
    ("projection", "expected"),
    [
        ({"ProjectionType": "ALL"}, {"p", "color", "note", "other"}),
        ({"ProjectionType": "KEYS_ONLY"}, {"p", "color"}),
        ({"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]}, {"p", "color", "note"}),
    ],
)
def test_what_a_search_shows(db: Any, make_table: MakeTable, projection: Item, expected: set[str]) -> None:
    index = {**vector_index("by-v", 3, schema="INLINE_FILTER:color"), "Projection": projection}
    table = make_table("things", "p:S", attributes="color:S", VectorIndexes=[index])
    put(db, table, "a", 0.1, -2.5, 1234567.1, color="red", note="x", other="y")
    asked: dict[str, Any] = {"TableName": table, "IndexName": "by-v", "SearchVector": vector(0, 0, 0)["L"], "TopK": 1}
    [found] = db.search_vectors(**asked)["SearchResults"]
    assert set(found["Item"]) == expected
    [found] = db.search_vectors(**asked, ProjectionExpression="p, note, v, absent")["SearchResults"]
    assert set(found["Item"]) == {"p", "v"} | (expected & {"note"})
    # 32-bit floats, as the index has them, are told apart by these digits.
    assert found["Item"]["v"] == {"L": [{"N": "0.1"}, {"N": "-2.5"}, {"N": "1234567.1"}]}
    [found] = db.search_vectors(**asked, ProjectionExpression="v[1]")["SearchResults"]
    assert found["Item"] == {"v": {"L": [{"N": "-2.5"}]}}


def test_what_is_consumed(db: Any, make_table: MakeTable) -> None:
    indexes = [vector_index("by-v", 2), vector_index("v-by", 2, "COSINE")]
    table = make_table("things", "p:S", VectorIndexes=indexes)
    item = {"p": {"S": "a"}, "v": vector(1, 2), "note": {"S": "x" * 496}}
    # Each row: 8 bytes of vector, 2 of the key, 500 of the note.
    rows = {"by-v": {"VectorWriteRequestBytes": 514.0}, "v-by": {"VectorWriteRequestBytes": 510.0}}
    wanted = {"ReturnConsumedCapacity": "INDEXES"}
    consumed = db.put_item(TableName=table, Item=item, **wanted)["ConsumedCapacity"]
    assert consumed["VectorIndexes"] == rows
    assert "VectorIndexes" not in db.put_item(TableName=table, Item=item, **wanted)["ConsumedCapacity"]
    [consumed] = db.transact_write_items(
        TransactItems=[{"Delete": {"TableName": table, "Key": {"p": {"S": "a"}}}}], **wanted
    )["ConsumedCapacity"]
    assert consumed["VectorIndexes"] == rows
    request = {"PutRequest": {"Item": {**item, "note": {"S": "x" * 4086}}}}
    [consumed] = db.batch_write_item(RequestItems={table: [request]}, **wanted)["ConsumedCapacity"]
    assert consumed["VectorIndexes"] == {name: {"VectorWriteRequestBytes": 4100.0} for name in rows}
    statement = {"Statement": f"UPDATE {table} SET note = 'y' WHERE p = 'a'"}
    [consumed] = db.batch_execute_statement(Statements=[statement], **wanted)["ConsumedCapacity"]
    assert consumed["VectorIndexes"] == {name: {"VectorWriteRequestBytes": 4100.0} for name in rows}
    asked: dict[str, Any] = {"TableName": table, "IndexName": "by-v", "SearchVector": vector(0, 0)["L"], "TopK": 1}
    answer = db.search_vectors(**asked, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == {"VectorSearchRequestBytes": 1024.0}
    assert "ConsumedCapacity" not in db.search_vectors(**asked)


def test_a_restored_table_has_them(db: Any, make_table: MakeTable) -> None:
    indexes = [vector_index("by-v", schema="HASH:shop INLINE_FILTER:color"), vector_index("v-by")]
    table = make_table("things", "p:S", attributes="shop:S color:S", VectorIndexes=indexes)
    put(db, table, "a", 3, 4, shop="x")
    backup = db.create_backup(TableName=table, BackupName="all")["BackupDetails"]["BackupArn"]
    wait(
        lambda: db.describe_backup(BackupArn=backup)["BackupDescription"]["BackupDetails"]["BackupStatus"], "AVAILABLE"
    )
    # SourceTableFeatureDetails tells what CreateTable was told.
    described = db.describe_backup(BackupArn=backup)["BackupDescription"]["SourceTableFeatureDetails"]
    assert described["VectorIndexes"] == indexes
    db.restore_table_from_backup(TargetTableName="all", BackupArn=backup)
    db.restore_table_from_backup(TargetTableName="some", BackupArn=backup, VectorIndexOverride=indexes[:1])
    for name in ("all", "some"):
        wait(lambda name=name: db.describe_table(TableName=name)["Table"]["TableStatus"], "ACTIVE")
        assert search(db, name, "by-v", 0, 0, **where(shop="x")) == [("a", 5.0)]
    assert search(db, "all", "v-by", 3, 4) == [("a", 0.0)]
    assert [index["IndexName"] for index in db.describe_table(TableName="some")["Table"]["VectorIndexes"]] == ["by-v"]
    with pytest.raises(ClientError, match="VectorIndexOverride must be a subset of the indexes of the source table"):
        db.restore_table_from_backup(
            TargetTableName="more", BackupArn=backup, VectorIndexOverride=[vector_index("v-by", 3)]
        )
    with pytest.raises(ClientError, match="only supported on tables with BillingMode PAY_PER_REQUEST"):
        db.restore_table_from_backup(
            TargetTableName="more",
            BackupArn=backup,
            BillingModeOverride="PROVISIONED",
            ProvisionedThroughputOverride={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        )


def test_one_index_is_made_or_deleted_at_a_time(db: Any, make_table: MakeTable) -> None:
    table = make_table("things", "p:S", VectorIndexes=[vector_index("by-v")])
    with pytest.raises(ClientError, match="Attempting to create an index which already exists"):
        db.update_table(TableName=table, VectorIndexUpdates=[{"Create": vector_index("by-v")}])
    with pytest.raises(ClientError, match="Only 1 online index can be created or deleted simultaneously per table"):
        db.update_table(
            TableName=table,
            VectorIndexUpdates=[{"Create": vector_index("v-by")}, {"Delete": {"IndexName": "by-v"}}],
        )
    with pytest.raises(ClientError, match="Exactly one of Create or Delete"):
        db.update_table(TableName=table, VectorIndexUpdates=[{}])
    with pytest.raises(ClientError, match="VectorIndexUpdates is empty"):
        db.update_table(TableName=table, VectorIndexUpdates=[])
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        db.update_table(TableName=table, VectorIndexUpdates=[{"Delete": {"IndexName": "other"}}])
    with pytest.raises(ClientError, match="only supported on tables with BillingMode PAY_PER_REQUEST"):
        db.update_table(
            TableName=table,
            BillingMode="PROVISIONED",
            ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        )


def test_an_index_on_a_live_table(db: Any, make_table: MakeTable) -> None:
    table = make_table("things", "p:S")
    for number in range(100):
        put(db, table, str(number), number, 0)
    db.update_table(TableName=table, VectorIndexUpdates=[{"Create": vector_index("by-v")}])
    put(db, table, "0", 1000, 0)
    assert active(db, table)["ItemCount"] == 100
    assert search(db, table, "by-v", 1001, 0, count=2) == [("0", 1.0), ("99", 902.0)]
    db.update_table(TableName=table, VectorIndexUpdates=[{"Delete": {"IndexName": "by-v"}}])
    assert "VectorIndexes" not in db.describe_table(TableName=table)["Table"]
    with pytest.raises(ClientError, match="does not have the specified index: by-v"):
        search(db, table, "by-v", 0, 0)


def test_an_index_is_right_though_its_table_is_written_to_while_it_is_filled(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "_ROWS", 1)
    dynamo.table()

    def write(number: int, *numbers: float) -> None:
        dynamo.call("PutItem", TableName="orders", Item={"p": {"S": f"{number:02}"}, "v": vector(*numbers)})

    def described() -> Item:
        found: list[Item] = dynamo.call("DescribeTable", TableName="orders")["Table"]["VectorIndexes"]
        return found[0]

    for number in range(40):
        write(number, number, 0)
    dynamo.call("UpdateTable", TableName="orders", VectorIndexUpdates=[{"Create": vector_index("by-v")}])
    asked: dict[str, Any] = {"TableName": "orders", "IndexName": "by-v", "SearchVector": vector(0, 100)["L"]}
    assert dynamo.refused("SearchVectors", **asked, TopK=1).message == "Cannot search backfilling vector index: by-v"
    assert described()["Backfilling"] is True
    for number in range(0, 40, 3):
        write(number, number, 100)
        dynamo.delete(f"{number + 1:02}")
    dynamo.until(lambda: described()["IndexStatus"] == "ACTIVE")
    left = [f"{number:02}" for number in range(40) if number % 3 != 1]
    assert described()["ItemCount"] == len(left)
    assert described()["IndexSizeBytes"] == 11 * len(left)
    found = dynamo.call("SearchVectors", **asked, TopK=100)["SearchResults"]
    assert sorted(each["Item"]["p"]["S"] for each in found) == left
    assert [each["Item"]["p"]["S"] for each in found[:14]] == [f"{number:02}" for number in range(0, 40, 3)]


def test_an_answer_has_a_limit_of_16_mebibytes(dynamo: LocalDynamo) -> None:
    dynamo.table(VectorIndexes=[vector_index("by-v")])
    for number in range(50):
        item = {"p": {"S": f"{number}"}, "v": vector(1, 2), "pad": {"S": "x" * 390_000}}
        dynamo.call("PutItem", TableName="orders", Item=item)
    asked: dict[str, Any] = {"TableName": "orders", "IndexName": "by-v", "SearchVector": vector(0, 0)["L"]}
    assert len(dynamo.call("SearchVectors", TopK=43, **asked)["SearchResults"]) == 43
    assert dynamo.refused("SearchVectors", TopK=44, **asked).code == "ValidationException"


def test_what_a_search_may_ask_for(db: Any, make_table: MakeTable) -> None:
    table = make_table("things", "p:S", VectorIndexes=[vector_index("by-v")])
    with pytest.raises(ClientError, match=r"TopK value '101' is out of valid range. .* between 1 and 100 inclusive"):
        search(db, table, "by-v", 0, 0, count=101)
    with pytest.raises(ClientError, match="search vector dimension 3 does not match vector index dimension 2"):
        search(db, table, "by-v", 0, 0, 0)
    with pytest.raises(ClientError, match="must be 32-bit floating point numbers"):
        search(db, table, "by-v", 0, 1e100)
    with pytest.raises(ClientError, match="Scan operation not supported on this index type"):
        db.scan(TableName=table, IndexName="by-v")
    with pytest.raises(ClientError, match="Query operation not supported on this index type"):
        db.query(
            TableName=table,
            IndexName="by-v",
            KeyConditionExpression="p = :p",
            ExpressionAttributeValues={":p": {"S": "a"}},
        )
    with pytest.raises(ClientError, match=r"does not have the specified index$"):
        db.execute_statement(Statement=f'SELECT * FROM "{table}"."by-v"')


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"VectorIndexes": [vector_index("by-v", 4097)]}, "Dimensions must be between 1 and 4096"),
        ({"VectorIndexes": [vector_index("by-v"), vector_index("by-v")]}, "Duplicate index name: by-v"),
        ({"VectorIndexes": [vector_index("by-v"), vector_index("v-by", 3)]}, "must have the same number of dimensions"),
        ({"VectorIndexes": [vector_index(f"by-{n}") for n in range(6)]}, "exceeds the per-table limit of 5"),
        (
            {"VectorIndexes": [vector_index("by-v", schema=" ".join(f"INLINE_FILTER:a{n}" for n in range(19)))]},
            "exceeds the limit of 18",
        ),
        ({"VectorIndexes": [vector_index("by-v", schema="HASH:p HASH:q")]}, "can only contain one HASH element"),
        ({"VectorIndexes": [vector_index("by-v", schema="HASH:p INLINE_FILTER:p")]}, "have the same name"),
        ({"VectorIndexes": []}, "List of VectorIndexes is empty"),
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
def test_indexes_that_cannot_be(make_table: MakeTable, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        make_table("things", "p:S", **given)
