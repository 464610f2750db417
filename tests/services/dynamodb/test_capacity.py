"""Consumed capacity as AWS computes it, and metrics of item collections."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.item_data import item_collections
from tests.services.dynamodb.conftest import MakeTable, index
from tests.services.dynamodb.local import LocalDynamo

Item = dict[str, Any]
KEY: Item = {"p": {"S": "a"}, "c": {"S": "1"}}


@pytest.fixture
def table(make_table: MakeTable) -> str:
    return make_table(
        "sizes",
        "p:S c:S",
        attributes="x:S",
        GlobalSecondaryIndexes=[index("global", "x", "INCLUDE", "shown")],
        LocalSecondaryIndexes=[index("local", "p x")],
    )


def item(size: int, **strings: str) -> Item:
    """Return an item that counts for `size` bytes."""
    given: Item = {**KEY, **{name: {"S": value} for name, value in strings.items()}}
    rest = size - sum(len(name) + len(value["S"]) for name, value in given.items()) - len("pad")
    return {**given, "pad": {"S": "y" * rest}}


def consumed(answer: dict[str, Any]) -> dict[str, float]:
    """Return units by what they were consumed of."""
    shown = answer["ConsumedCapacity"]
    units = {"all": shown["CapacityUnits"]}
    if "Table" in shown:
        units["table"] = shown["Table"]["CapacityUnits"]
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        units |= {name: each["CapacityUnits"] for name, each in shown.get(member, {}).items()}
    return units


def put(db: Any, table: str, given: Item) -> dict[str, float]:
    return consumed(db.put_item(TableName=table, Item=given, ReturnConsumedCapacity="INDEXES"))


def test_writes_count_by_kilobytes_of_the_larger_item(db: Any, make_table: MakeTable) -> None:
    plain = make_table("plain", "p:S c:S")
    assert put(db, plain, item(1024)) == {"all": 1, "table": 1}
    assert put(db, plain, item(1025)) == {"all": 2, "table": 2}
    assert put(db, plain, item(100)) == {"all": 2, "table": 2}
    answer = db.delete_item(TableName=plain, Key=KEY, ReturnConsumedCapacity="TOTAL")
    assert consumed(answer) == {"all": 1}
    answer = db.delete_item(TableName=plain, Key=KEY, ReturnConsumedCapacity="TOTAL")
    assert consumed(answer) == {"all": 1}


def test_writes_count_for_the_indexes_that_they_concern(db: Any, table: str) -> None:
    assert put(db, table, item(1500)) == {"all": 2, "table": 2}
    # It enters both indexes, of which the global one shows but a little of it.
    assert put(db, table, item(1500, x="1")) == {"all": 5, "table": 2, "local": 2, "global": 1}
    # What the global index does not show changes.
    assert put(db, table, item(1600, x="1")) == {"all": 4, "table": 2, "local": 2}
    # The key of both indexes changes: an old row goes, a new one comes.
    assert put(db, table, item(1600, x="2")) == {"all": 8, "table": 2, "local": 4, "global": 2}
    # It leaves them.
    assert put(db, table, item(1600)) == {"all": 5, "table": 2, "local": 2, "global": 1}


def test_reads_count_by_four_kilobytes(db: Any, table: str) -> None:
    db.put_item(TableName=table, Item=item(4097, x="1"))

    def got(**more: Any) -> dict[str, float]:
        return consumed(db.get_item(TableName=table, Key=KEY, ReturnConsumedCapacity="TOTAL", **more))

    assert got() == {"all": 1}
    assert got(ConsistentRead=True) == {"all": 2}
    assert got(ConsistentRead=True, ProjectionExpression="p") == {"all": 2}

    def queried(name: str | None, condition: str, **more: Any) -> dict[str, float]:
        where = {} if name is None else {"IndexName": name}
        return consumed(
            db.query(
                TableName=table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues={":v": {"S": "a" if condition.startswith("p") else "1"}},
                ReturnConsumedCapacity="INDEXES",
                **where,
                **more,
            )
        )

    assert queried(None, "p = :v", ConsistentRead=True) == {"all": 2, "table": 2}
    assert queried("global", "x = :v") == {"all": 0.5, "table": 0, "global": 0.5}
    assert queried("local", "p = :v") == {"all": 1, "table": 0, "local": 1}


def test_a_query_rounds_up_once_for_all_items(db: Any, make_table: MakeTable) -> None:
    plain = make_table("plain", "p:S c:S")
    for number in range(10):
        db.put_item(TableName=plain, Item={**item(500), "c": {"S": str(number)}})
    answer = db.query(
        TableName=plain,
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
        ConsistentRead=True,
        ReturnConsumedCapacity="TOTAL",
    )
    assert consumed(answer) == {"all": 2}


def test_a_local_index_that_fetches_reads_the_table_too(db: Any, make_table: MakeTable) -> None:
    narrow = make_table(
        "narrow", "p:S c:S", attributes="x:S", LocalSecondaryIndexes=[index("local", "p x", "KEYS_ONLY")]
    )
    db.put_item(TableName=narrow, Item=item(5000, x="1"))
    answer = db.query(
        TableName=narrow,
        IndexName="local",
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
        Select="ALL_ATTRIBUTES",
        ConsistentRead=True,
        ReturnConsumedCapacity="INDEXES",
    )
    assert consumed(answer) == {"all": 3, "table": 2, "local": 1}


def test_batches_count_each_item(db: Any, make_table: MakeTable) -> None:
    plain = make_table("plain", "p:S c:S")
    answer = db.batch_write_item(
        RequestItems={plain: [{"PutRequest": {"Item": {**item(1100), "c": {"S": str(n)}}}} for n in range(3)]},
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["ConsumedCapacity"] == [{"TableName": plain, "CapacityUnits": 6.0}]
    answer = db.batch_get_item(
        RequestItems={plain: {"Keys": [{**KEY, "c": {"S": str(n)}} for n in range(4)]}}, ReturnConsumedCapacity="TOTAL"
    )
    assert answer["ConsumedCapacity"] == [{"TableName": plain, "CapacityUnits": 2.0}]


def test_who_names_a_table_by_its_arn_is_answered_with_the_arn(db: Any, make_table: MakeTable) -> None:
    arn = db.describe_table(TableName=make_table("plain", "p:S c:S"))["Table"]["TableArn"]
    asked = {"ReturnConsumedCapacity": "TOTAL"}
    put = {"TableName": arn, "Item": item(100)}
    where = {"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}
    statement = f"SELECT * FROM \"{arn}\" WHERE p = 'a' AND c = '1'"
    answers = [
        db.put_item(**put, **asked),
        db.get_item(TableName=arn, Key=KEY, **asked),
        db.query(TableName=arn, **where, **asked),
        db.scan(TableName=arn, **asked),
        db.batch_get_item(RequestItems={arn: {"Keys": [KEY]}}, **asked),
        db.batch_write_item(RequestItems={arn: [{"PutRequest": {"Item": item(100)}}]}, **asked),
        db.transact_write_items(TransactItems=[{"Put": put}], **asked),
        db.transact_get_items(TransactItems=[{"Get": {"TableName": arn, "Key": KEY}}], **asked),
        db.execute_statement(Statement=statement, **asked),
        db.execute_statement(Statement=f"DELETE FROM \"{arn}\" WHERE p = 'b' AND c = '1'", **asked),
        db.batch_execute_statement(Statements=[{"Statement": statement}], **asked),
        db.execute_transaction(TransactStatements=[{"Statement": statement}], **asked),
    ]
    shown = [answer["ConsumedCapacity"] for answer in answers]
    assert {(each[0] if isinstance(each, list) else each)["TableName"] for each in shown} == {arn}


def test_metrics_are_those_of_a_table_with_local_indexes(db: Any, make_table: MakeTable, table: str) -> None:
    asked = {"ReturnItemCollectionMetrics": "SIZE"}
    answer = db.put_item(TableName=table, Item=item(1000, x="1"), **asked)
    assert answer["ItemCollectionMetrics"] == {
        "ItemCollectionKey": {"p": {"S": "a"}},
        "SizeEstimateRangeGB": [0.0, 1.0],
    }
    plain = make_table("plain", "p:S c:S")
    assert "ItemCollectionMetrics" not in db.put_item(TableName=plain, Item=item(1000), **asked)


def test_nothing_is_said_unless_it_is_asked_for(db: Any, table: str) -> None:
    assert "ConsumedCapacity" not in db.put_item(TableName=table, Item=item(100))
    assert "ConsumedCapacity" not in db.scan(TableName=table, ReturnConsumedCapacity="NONE")


def test_an_item_collection_has_a_limit(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert item_collections.LARGEST == 10 << 30
    monkeypatch.setattr(item_collections, "LARGEST", 1000)
    dynamo.table(sort=True, LocalSecondaryIndexes=[index("by-c", "p c")])

    def put(p: str, c: str, size: int) -> str | None:
        made = {"p": {"S": p}, "c": {"S": c}, "pad": {"S": "x" * (size - len("ppccpad"))}}
        try:
            dynamo.call("PutItem", TableName="orders", Item=made)
        except AwsError as error:
            return error.code
        return None

    # An item counts twice: in the table and in the index.
    assert [put("p", "1", 300), put("p", "2", 200)] == [None, None]
    refused = "ItemCollectionSizeLimitExceededException"
    assert put("p", "3", 10) == refused
    assert put("q", "3", 10) is None
    assert put("p", "2", 201) == refused
    assert [put("p", "2", 190), put("p", "3", 10)] == [None, None]
    action = {"TableName": "orders", "Item": {"p": {"S": "p"}, "c": {"S": "4"}}}
    error = dynamo.refused("TransactWriteItems", TransactItems=[{"Put": action}])
    assert [each["Code"] for each in error.fields["CancellationReasons"]] == ["ItemCollectionSizeLimitExceeded"]
    dynamo.call("DeleteItem", TableName="orders", Key={"p": {"S": "p"}, "c": {"S": "1"}})
    assert put("p", "5", 290) is None
