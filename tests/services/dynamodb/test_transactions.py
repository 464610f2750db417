"""TransactWriteItems and TransactGetItems: all or nothing, once, with reasons."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.requests import transactions
from tests.services.dynamodb.conftest import MakeTable, index
from tests.services.dynamodb.local import LocalDynamo

Item = dict[str, Any]


def key(p: str) -> Item:
    return {"p": {"S": p}}


@pytest.fixture
def table(make_table: MakeTable) -> str:
    return make_table("accounts", "p:S")


def put(table: str, p: str, **more: Any) -> Item:
    return {"Put": {"TableName": table, "Item": key(p), **more}}


def add(table: str, p: str, amount: int, **more: Any) -> Item:
    values = {":n": {"N": str(amount)}, **more.pop("values", {})}
    return {
        "Update": {
            "TableName": table,
            "Key": key(p),
            "UpdateExpression": "ADD n :n",
            "ExpressionAttributeValues": values,
            **more,
        }
    }


def test_all_kinds_of_actions_together(db: Any, make_table: MakeTable, table: str) -> None:
    other = make_table("other", "p:S")
    db.put_item(TableName=table, Item=key("deleted"))
    db.put_item(TableName=other, Item=key("checked"))
    check = {"TableName": other, "Key": key("checked"), "ConditionExpression": "attribute_exists(p)"}
    db.transact_write_items(
        TransactItems=[
            put(table, "put"),
            add(table, "updated", 3),
            {"Delete": {"TableName": table, "Key": key("deleted")}},
            {"ConditionCheck": check},
        ]
    )
    read = db.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": table, "Key": key(p), "ProjectionExpression": "p, n"}}
            for p in ("put", "updated", "deleted")
        ]
    )
    assert read["Responses"] == [{"Item": key("put")}, {"Item": {**key("updated"), "n": {"N": "3"}}}, {}]


def test_a_condition_that_fails_undoes_all_and_says_why(db: Any, table: str) -> None:
    db.put_item(TableName=table, Item={**key("there"), "x": {"S": "1"}})
    absent = {"ConditionExpression": "attribute_not_exists(p)"}
    with pytest.raises(db.exceptions.TransactionCanceledException) as error:
        db.transact_write_items(
            TransactItems=[
                put(table, "new"),
                put(table, "there", ReturnValuesOnConditionCheckFailure="ALL_OLD", **absent),
                {"Delete": {"TableName": table, "Key": key("nothing"), "ConditionExpression": "attribute_exists(p)"}},
            ]
        )
    response = error.value.response
    assert response["Error"]["Message"] == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ConditionalCheckFailed, ConditionalCheckFailed]"
    )
    assert response["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": {**key("there"), "x": {"S": "1"}},
        },
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
    ]
    assert db.scan(TableName=table)["Count"] == 1


def test_what_a_table_does_not_admit_is_a_reason(db: Any, table: str) -> None:
    wrong = {"Put": {"TableName": table, "Item": {"p": {"N": "1"}}}}
    with pytest.raises(db.exceptions.TransactionCanceledException) as error:
        db.transact_write_items(TransactItems=[put(table, "a"), wrong])
    assert error.value.response["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ValidationError",
            "Message": "One or more parameter values were invalid: Type mismatch for key p expected: S actual: N",
        },
    ]


def test_an_operand_of_the_wrong_type_is_a_reason(db: Any, table: str) -> None:
    db.put_item(TableName=table, Item={**key("a"), "n": {"S": "text"}})
    with pytest.raises(db.exceptions.TransactionCanceledException) as error:
        db.transact_write_items(TransactItems=[add(table, "a", 1)])
    [reason] = error.value.response["CancellationReasons"]
    assert reason["Code"] == "ValidationError"


def test_one_item_once(db: Any, table: str) -> None:
    with pytest.raises(ClientError, match="Transaction request cannot include multiple operations on one item"):
        db.transact_write_items(TransactItems=[put(table, "a"), add(table, "a", 1)])


def test_a_token_stands_for_one_transaction(db: Any, table: str) -> None:
    items = [add(table, "a", 1)]
    for _ in range(3):
        db.transact_write_items(TransactItems=items, ClientRequestToken="token-1")
    assert db.get_item(TableName=table, Key=key("a"))["Item"]["n"] == {"N": "1"}
    with pytest.raises(db.exceptions.IdempotentParameterMismatchException):
        db.transact_write_items(TransactItems=[add(table, "a", 2)], ClientRequestToken="token-1")
    db.transact_write_items(TransactItems=items, ClientRequestToken="token-2")
    assert db.get_item(TableName=table, Key=key("a"))["Item"]["n"] == {"N": "2"}


def test_a_token_of_a_cancelled_transaction_can_be_used_again(db: Any, table: str) -> None:
    items = [put(table, "a", ConditionExpression="attribute_exists(p)")]
    for _ in range(2):
        with pytest.raises(db.exceptions.TransactionCanceledException):
            db.transact_write_items(TransactItems=items, ClientRequestToken="token-1")
    db.put_item(TableName=table, Item=key("a"))
    db.transact_write_items(TransactItems=items, ClientRequestToken="token-1")


def test_what_is_moved_is_neither_lost_nor_doubled(db: Any, table: str) -> None:
    names = "abcd"
    db.transact_write_items(TransactItems=[add(table, name, 100) for name in names])

    def move(number: int) -> None:
        source, target = names[number % 4], names[(number * 7 + 1) % 4]
        enough = {"ConditionExpression": "n >= :least", "values": {":least": {"N": "30"}}}
        if source != target:
            with suppress(db.exceptions.TransactionCanceledException):
                db.transact_write_items(TransactItems=[add(table, source, -30, **enough), add(table, target, 30)])
        gets = [{"Get": {"TableName": table, "Key": key(name)}} for name in names]
        seen = [int(each["Item"]["n"]["N"]) for each in db.transact_get_items(TransactItems=gets)["Responses"]]
        assert sum(seen) == 400
        assert min(seen) >= 0

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(move, range(64)))


def test_consumed_capacity_is_twice_that_of_single_items(db: Any, table: str) -> None:
    written = db.transact_write_items(TransactItems=[put(table, "a"), put(table, "b")], ReturnConsumedCapacity="TOTAL")
    assert written["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}]
    read = db.transact_get_items(
        TransactItems=[{"Get": {"TableName": table, "Key": key("a")}}], ReturnConsumedCapacity="TOTAL"
    )
    assert read["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0}]


def test_a_condition_check_consumes_too_and_a_repetition_reads(db: Any, table: str) -> None:
    db.put_item(TableName=table, Item={**key("a"), "x": {"S": "x" * 2000}})
    check = {"TableName": table, "Key": key("a"), "ConditionExpression": "attribute_exists(p)"}
    asked: dict[str, Any] = {
        "TransactItems": [{"ConditionCheck": check}, put(table, "b")],
        "ClientRequestToken": "token-1",
        "ReturnConsumedCapacity": "INDEXES",
    }
    for kind, units in (("Write", 6.0), ("Read", 4.0)):
        expected = {"CapacityUnits": units, f"{kind}CapacityUnits": units}
        [consumed] = db.transact_write_items(**asked)["ConsumedCapacity"]
        assert consumed == {"TableName": table, **expected, "Table": expected}


def test_a_token_is_good_for_ten_minutes(dynamo: LocalDynamo) -> None:
    dynamo.table()
    asked = {"TransactItems": [add("orders", "a", 1)], "ClientRequestToken": "token-1"}
    dynamo.call("TransactWriteItems", **asked)
    dynamo.advance(599)
    dynamo.call("TransactWriteItems", **asked)
    assert dynamo.items()["a"]["n"] == {"N": "1"}
    dynamo.advance(2)
    dynamo.call("TransactWriteItems", **asked)
    assert dynamo.items()["a"]["n"] == {"N": "2"}
    dynamo.advance(599)
    dynamo.call("TransactWriteItems", **asked)
    assert dynamo.items()["a"]["n"] == {"N": "2"}


def test_a_token_that_is_used_again_after_its_time_is_good_for_ten_minutes_more(dynamo: LocalDynamo) -> None:
    dynamo.table()

    def add_one(token: str, name: str) -> None:
        dynamo.call("TransactWriteItems", TransactItems=[add("orders", name, 1)], ClientRequestToken=token)

    # What has expired is forgotten a few at a time: there is more than is forgotten by the token's second use.
    for number in range(transactions._SWEPT):
        add_one(f"other-{number}", "b")
    dynamo.clock.time += 1
    add_one("t", "a")
    dynamo.clock.time += 601
    add_one("t", "a")
    add_one("another", "b")
    add_one("t", "a")
    assert dynamo.items()["a"]["n"] == {"N": "2"}


def test_reads_that_do_not_go_together(db: Any, table: str) -> None:
    arn = db.describe_table(TableName=table)["Table"]["TableArn"]
    twice = [{"Get": {"TableName": name, "Key": key("a")}} for name in (table, arn)]
    with pytest.raises(ClientError, match="Transaction request cannot include multiple operations on one item"):
        db.transact_get_items(TransactItems=twice)
    with pytest.raises(db.exceptions.TransactionCanceledException) as error:
        db.transact_get_items(TransactItems=[twice[0], {"Get": {"TableName": table, "Key": {"q": {"S": "a"}}}}])
    assert error.value.response["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "ValidationError", "Message": "The provided key element does not match the schema"},
    ]
    with pytest.raises(ClientError, match="can only contain one of Check, Put, Update or Delete"):
        db.transact_write_items(TransactItems=[{**put(table, "a"), **add(table, "b", 1)}])
    with pytest.raises(db.exceptions.ResourceNotFoundException):
        db.transact_write_items(TransactItems=[put(table, "a"), put("none-such", "a")])


def test_item_collections_are_measured(db: Any, make_table: MakeTable) -> None:
    make_table("orders", "p:S c:S", attributes="x:S", LocalSecondaryIndexes=[index("by-x", "p x")])
    items = [{"Put": {"TableName": "orders", "Item": {**key("a"), "c": {"S": c}, "x": {"S": c}}}} for c in "12"]
    metrics = db.transact_write_items(TransactItems=items, ReturnItemCollectionMetrics="SIZE")["ItemCollectionMetrics"]
    assert [each["ItemCollectionKey"] for each in metrics["orders"]] == [key("a"), key("a")]
    assert metrics["orders"][0]["SizeEstimateRangeGB"] == [0.0, 1.0]


def test_what_is_written_has_four_megabytes_at_most(db: Any, table: str) -> None:
    large = [{**key(str(number)), "x": {"S": "x" * 400_000}} for number in range(11)]
    puts = [{"Put": {"TableName": table, "Item": each}} for each in large]
    with pytest.raises(ClientError, match="Transaction request size cannot exceed 4 MB"):
        db.transact_write_items(TransactItems=puts)
    assert db.scan(TableName=table, Select="COUNT")["Count"] == 0
    db.transact_write_items(TransactItems=puts[:10])
    # What counts is the size of items, not that of their JSON: escapes take more room in it.
    escaped = [{**key(str(number)), "x": {"S": "\x01" * 50_000}} for number in range(20)]
    db.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": each}} for each in escaped])


def test_others_have_their_turn_while_large_values_are_read() -> None:
    updates = [add("orders", str(number), 1, values={":n": {"SS": ["x" * 100_000]}}) for number in range(30)]
    reading = transactions._requests(updates)
    turns = 0
    while True:
        try:
            reading.send(None)
        except StopIteration as ended:
            assert len(ended.value[0]) == 30  # noqa: PT017
            break
        turns += 1
    assert turns > 5
    with pytest.raises(AwsError, match="Transaction request size cannot exceed 4 MB"):
        asyncio.run(transactions._requests(updates * 2))


def test_what_is_there_may_be_larger_than_what_is_sent(db: Any, table: str) -> None:
    names = [str(number) for number in range(12)]
    for name in names:
        db.put_item(TableName=table, Item={**key(name), "x": {"S": "x" * 390_000}})
    checks = [
        {"ConditionCheck": {"TableName": table, "Key": key(name), "ConditionExpression": "attribute_exists(p)"}}
        for name in names[:6]
    ]
    db.transact_write_items(TransactItems=[*checks, *(add(table, name, 1) for name in names[6:])])
    values = {":x": {"S": "y" * 390_000}}
    updates = [
        {
            "Update": {
                "TableName": table,
                "Key": key(name),
                "UpdateExpression": "SET x = :x",
                "ExpressionAttributeValues": values,
            }
        }
        for name in names
    ]
    with pytest.raises(ClientError, match="Transaction request size cannot exceed 4 MB"):
        db.transact_write_items(TransactItems=updates)
    statement = f'UPDATE "{table}" SET x = ? WHERE p = ?'
    statements = [{"Statement": statement, "Parameters": [values[":x"], {"S": name}]} for name in names]
    with pytest.raises(ClientError, match="Transaction request size cannot exceed 4 MB"):
        db.execute_transaction(TransactStatements=statements)
    db.execute_transaction(TransactStatements=statements[:10])
    db.transact_write_items(TransactItems=[{"Delete": {"TableName": table, "Key": key(name)}} for name in names])
    assert db.scan(TableName=table, Select="COUNT")["Count"] == 0


def test_four_megabytes_at_most(db: Any, table: str) -> None:
    for number in range(12):
        db.put_item(TableName=table, Item={**key(str(number)), "x": {"S": "x" * 390 * 1024}})
    gets = [{"Get": {"TableName": table, "Key": key(str(number))}} for number in range(12)]
    assert len(db.transact_get_items(TransactItems=gets[:10])["Responses"]) == 10
    with pytest.raises(ClientError, match="cannot exceed 4 MB"):
        db.transact_get_items(TransactItems=gets)
