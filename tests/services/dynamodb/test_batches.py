"""BatchGetItem and BatchWriteItem."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.core.kernel.identity import root
from cloudlet.services.dynamodb.tables import table
from tests.services.dynamodb.conftest import MakeTable, index
from tests.services.dynamodb.local import ACCOUNT, REGION, LocalDynamo

Item = dict[str, Any]


def key(p: int) -> Item:
    return {"p": {"N": str(p)}}


def test_writes_and_reads_of_two_tables(db: Any, make_table: MakeTable) -> None:
    one, other = make_table("one", "p:N"), make_table("other", "p:N")
    db.put_item(TableName=other, Item=key(9))
    answer = db.batch_write_item(
        RequestItems={
            one: [{"PutRequest": {"Item": {**key(n), "x": {"S": "x"}}}} for n in range(3)],
            other: [{"DeleteRequest": {"Key": key(9)}}, {"PutRequest": {"Item": key(1)}}],
        }
    )
    assert answer["UnprocessedItems"] == {}
    read = db.batch_get_item(
        RequestItems={
            one: {"Keys": [key(2), key(7), key(0)], "ProjectionExpression": "x"},
            other: {"Keys": [key(9), key(1)]},
        }
    )
    assert read["Responses"] == {one: [{"x": {"S": "x"}}] * 2, other: [key(1)]}
    assert read["UnprocessedKeys"] == {}


def test_a_write_that_is_wrong_undoes_all(db: Any, make_table: MakeTable) -> None:
    table = make_table("one", "p:N")
    with pytest.raises(ClientError, match="The provided key element does not match the schema"):
        db.batch_write_item(
            RequestItems={table: [{"PutRequest": {"Item": item}} for item in (key(1), {"x": {"S": ""}})]}
        )
    assert db.scan(TableName=table)["Items"] == []


def test_one_item_once(db: Any, make_table: MakeTable) -> None:
    table = make_table("one", "p:N")
    same = {"p": {"N": "1.0"}}
    with pytest.raises(ClientError, match="Provided list of item keys contains duplicates"):
        db.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": key(1)}}, {"DeleteRequest": {"Key": same}}]})
    with pytest.raises(ClientError, match="Provided list of item keys contains duplicates"):
        db.batch_get_item(RequestItems={table: {"Keys": [key(1), same]}})


def test_limits_of_number(db: Any, make_table: MakeTable) -> None:
    one, other = make_table("one", "p:N"), make_table("other", "p:N")
    writes = [{"PutRequest": {"Item": key(n)}} for n in range(13)]
    with pytest.raises(ClientError, match="Too many items requested for the BatchWriteItem call"):
        db.batch_write_item(RequestItems={one: writes, other: writes})
    keys = [key(n) for n in range(51)]
    with pytest.raises(ClientError, match="Too many items requested for the BatchGetItem call"):
        db.batch_get_item(RequestItems={one: {"Keys": keys}, other: {"Keys": keys}})


def test_an_answer_of_more_than_16_mb_is_left_unprocessed(db: Any, make_table: MakeTable) -> None:
    table = make_table("one", "p:N")
    for n in range(50):
        db.put_item(TableName=table, Item={**key(n), "text": {"S": "x" * 390 * 1024}})
    wanted: dict[str, Any] = {table: {"Keys": [key(n) for n in range(50)], "ProjectionExpression": "p"}}
    found, calls = [], 0
    while wanted:
        answer = db.batch_get_item(RequestItems=wanted)
        found += answer["Responses"][table]
        wanted = answer["UnprocessedKeys"]
        calls += 1
    assert [int(item["p"]["N"]) for item in found] == list(range(50))
    assert calls == 2


def test_a_table_that_is_not_there(db: Any, make_table: MakeTable) -> None:
    table = make_table("one", "p:N")
    with pytest.raises(db.exceptions.ResourceNotFoundException):
        db.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": key(1)}}] for name in (table, "none")})
    assert db.scan(TableName=table)["Count"] == 0


def test_each_request_is_one_write(db: Any, make_table: MakeTable) -> None:
    table = make_table("one", "p:N")
    for request in ({}, {"PutRequest": {"Item": key(1)}, "DeleteRequest": {"Key": key(1)}}):
        with pytest.raises(ClientError, match="ValidationException"):
            db.batch_write_item(RequestItems={table: [request]})
    assert db.scan(TableName=table)["Count"] == 0


def test_item_collections_are_measured(db: Any, make_table: MakeTable) -> None:
    table = make_table("one", "p:N c:N", attributes="x:S", LocalSecondaryIndexes=[index("by-x", "p x")])
    plain = make_table("plain", "p:N")
    written = {
        table: [{"PutRequest": {"Item": {**key(p), "c": {"N": "1"}}}} for p in (1, 2)],
        plain: [{"PutRequest": {"Item": key(1)}}],
    }
    metrics = db.batch_write_item(RequestItems=written, ReturnItemCollectionMetrics="SIZE")["ItemCollectionMetrics"]
    assert {name: [each["ItemCollectionKey"] for each in some] for name, some in metrics.items()} == {
        table: [key(1), key(2)]
    }
    assert "ItemCollectionMetrics" not in db.batch_write_item(RequestItems=written)


LARGE: Item = {"text": {"S": "x" * 300 * 1024}}


def puts(number: int) -> list[Item]:
    return [{"PutRequest": {"Item": {"p": {"S": str(n)}, **LARGE}}} for n in range(number)]


async def call(dynamo: LocalDynamo, operation: str, **params: Any) -> Any:
    return await dynamo.cloud.call(
        "dynamodb", operation, params, principal=root(ACCOUNT), account=ACCOUNT, region=REGION
    )


async def item_count(dynamo: LocalDynamo) -> int:
    described = await call(dynamo, "DescribeTable", TableName="orders")
    return int(described["Table"]["ItemCount"])


def counts_during(dynamo: LocalDynamo, operation: str, **params: Any) -> list[int]:
    """Call an operation; return how many items the table had each time that another request could ask meanwhile."""

    async def count() -> list[int]:
        called = asyncio.ensure_future(call(dynamo, operation, **params))
        counts: list[int] = []
        while not called.done():
            counts.append(await item_count(dynamo))
            await asyncio.sleep(0)
        await called
        return counts

    return dynamo.run(count())


def test_others_have_their_turn_within_a_large_batch(dynamo: LocalDynamo) -> None:
    dynamo.table()
    counts = counts_during(dynamo, "BatchWriteItem", RequestItems={"orders": puts(25)})
    assert len({*counts, 25}) > 10
    deletes = [{"DeleteRequest": {"Key": {"p": {"S": str(n)}}}} for n in range(12)]
    assert len({*counts_during(dynamo, "BatchWriteItem", RequestItems={"orders": deletes}), 13}) > 5
    keys = [{"p": {"S": str(n)}} for n in range(25)]
    wanted = {"orders": {"Keys": keys, "ProjectionExpression": "p"}}
    assert len(counts_during(dynamo, "BatchGetItem", RequestItems=wanted)) > 5
    transacted = [{"Put": {"TableName": "orders", **put["PutRequest"]}} for put in puts(13)]
    assert len(counts_during(dynamo, "TransactWriteItems", TransactItems=transacted)) > 5
    is_none = {"FilterExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": "none"}}}
    assert len(counts_during(dynamo, "Scan", TableName="orders", **is_none)) > 2


def test_a_write_that_is_wrong_undoes_all_of_a_large_batch(dynamo: LocalDynamo) -> None:
    dynamo.table()
    wrong = [*puts(5), {"PutRequest": {"Item": LARGE}}]
    assert "key element does not match" in dynamo.refused("BatchWriteItem", RequestItems={"orders": wrong}).message
    assert dynamo.call("Scan", TableName="orders", Select="COUNT")["Count"] == 0


def test_what_is_left_of_a_table_that_is_changed_meanwhile_is_left_unprocessed(dynamo: LocalDynamo) -> None:
    dynamo.table()

    async def change_meanwhile() -> Any:
        called = asyncio.ensure_future(call(dynamo, "BatchWriteItem", RequestItems={"orders": puts(25)}))
        while not await item_count(dynamo):
            await asyncio.sleep(0)
        await call(dynamo, "UpdateTable", TableName="orders", DeletionProtectionEnabled=True)
        return await called

    left = dynamo.run(change_meanwhile())["UnprocessedItems"]["orders"]
    assert 0 < len(left) < 25
    assert left == puts(25)[-len(left) :]
    assert dynamo.run(item_count(dynamo)) == 25 - len(left)


def test_a_batch_goes_on_though_so_many_tables_are_used_meanwhile_that_its_own_is_decoded_anew(
    dynamo: LocalDynamo,
) -> None:
    dynamo.table()

    async def forget_meanwhile() -> Any:
        called = asyncio.ensure_future(call(dynamo, "BatchWriteItem", RequestItems={"orders": puts(25)}))
        while not await item_count(dynamo):
            await asyncio.sleep(0)
        table._tables.clear()
        return await called

    assert dynamo.run(forget_meanwhile())["UnprocessedItems"] == {}
    assert dynamo.run(item_count(dynamo)) == 25
