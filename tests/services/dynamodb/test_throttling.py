"""Throttling, where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.dynamodb.conftest import MakeTable, index

SMALL = {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10}
SLOW: dict[str, Any] = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": SMALL}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server.start("--ephemeral", env={"CLOUDLET_DYNAMODB_THROTTLING": "1"}) as server:
        yield server


@pytest.fixture
def aws(server: Server) -> Aws:
    return Aws(server.endpoint, fresh_account())


def item(p: str, kilobytes: int) -> dict[str, Any]:
    return {"p": {"S": p}, "text": {"S": "x" * (kilobytes * 1024 - 10)}}


def test_writes_beyond_the_throughput_are_refused_until_it_has_grown_back(db: Any, make_table: MakeTable) -> None:
    make_table("slow", "p:S", **SLOW)
    db.put_item(TableName="slow", Item=item("a", 40))
    with pytest.raises(db.exceptions.ProvisionedThroughputExceededException) as error:
        db.put_item(TableName="slow", Item=item("b", 1))
    assert error.value.response["Error"]["Message"].startswith(
        "The level of configured provisioned throughput for the table was exceeded."
    )
    with pytest.raises(db.exceptions.TransactionCanceledException) as error:
        db.transact_write_items(TransactItems=[{"Put": {"TableName": "slow", "Item": item("b", 1)}}])
    assert error.value.response["CancellationReasons"][0]["Code"] == "ProvisionedThroughputExceeded"
    # Reads have a throughput of their own.
    assert db.get_item(TableName="slow", Key={"p": {"S": "a"}})["Item"] == item("a", 40)
    db.update_table(TableName="slow", ProvisionedThroughput={"ReadCapacityUnits": 10, "WriteCapacityUnits": 10_000})
    while True:
        try:
            db.put_item(TableName="slow", Item=item("b", 1))
        except db.exceptions.ProvisionedThroughputExceededException:
            continue
        break


def test_reads_beyond_the_throughput_are_refused(db: Any, make_table: MakeTable) -> None:
    make_table("slow", "p:S", **{**SLOW, "ProvisionedThroughput": {"ReadCapacityUnits": 2, "WriteCapacityUnits": 500}})
    db.put_item(TableName="slow", Item=item("a", 400))
    db.get_item(TableName="slow", Key={"p": {"S": "a"}})
    for call in (
        lambda: db.get_item(TableName="slow", Key={"p": {"S": "a"}}),
        lambda: db.scan(TableName="slow"),
        lambda: db.batch_get_item(RequestItems={"slow": {"Keys": [{"p": {"S": "a"}}]}}),
    ):
        with pytest.raises(db.exceptions.ProvisionedThroughputExceededException):
            call()


def test_a_batch_does_what_it_can(db: Any, make_table: MakeTable) -> None:
    make_table("slow", "p:S", **SLOW)
    requests = [{"PutRequest": {"Item": item(str(n), 8)}} for n in range(5)]
    left = db.batch_write_item(RequestItems={"slow": requests})["UnprocessedItems"]
    assert left == {"slow": requests[2:]}
    with pytest.raises(db.exceptions.ProvisionedThroughputExceededException):
        db.batch_write_item(RequestItems={"slow": requests[2:]})


def test_a_slow_index_slows_down_its_table(db: Any, make_table: MakeTable) -> None:
    by_x = {**index("by-x", "x"), "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}
    fast = {"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000}
    make_table(
        "t-1", "p:S", attributes="x:S", **{**SLOW, "ProvisionedThroughput": fast, "GlobalSecondaryIndexes": [by_x]}
    )
    db.put_item(TableName="t-1", Item={**item("a", 40), "x": {"S": "x"}})
    with pytest.raises(db.exceptions.ProvisionedThroughputExceededException, match="global secondary indexes"):
        db.put_item(TableName="t-1", Item=item("b", 1))


def test_an_error_says_what_was_throttled_and_why(db: Any, make_table: MakeTable) -> None:
    by_x = {**index("by-x", "x"), "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}
    make_table("slow", "p:S", attributes="x:S", **SLOW, GlobalSecondaryIndexes=[by_x])
    make_table("limited", "p:S", OnDemandThroughput={"MaxWriteRequestUnits": 1})
    slow, limited = (db.describe_table(TableName=name)["Table"]["TableArn"] for name in ("slow", "limited"))
    db.put_item(TableName="slow", Item={**item("a", 8), "x": {"S": "x"}})
    db.put_item(TableName="limited", Item=item("a", 8))

    def refused(**put: Any) -> dict[str, Any]:
        with pytest.raises(ClientError) as error:
            db.put_item(**put)
        return error.value.response

    assert refused(TableName="slow", Item=item("b", 1))["ThrottlingReasons"] == [
        {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": f"{slow}/index/by-x"}
    ]
    assert refused(TableName="limited", Item=item("b", 1))["throttlingReasons"] == [
        {"reason": "TableWriteMaxOnDemandThroughputExceeded", "resource": limited}
    ]
    db.update_table(
        TableName="slow",
        GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-x"}}],
    )
    db.put_item(TableName="slow", Item=item("b", 40))
    assert refused(TableName="slow", Item=item("c", 1))["ThrottlingReasons"] == [
        {"reason": "TableWriteProvisionedThroughputExceeded", "resource": slow}
    ]


def test_a_table_on_demand_is_limited_by_its_maximum_alone(db: Any, make_table: MakeTable) -> None:
    make_table("free", "p:S")
    make_table("limited", "p:S", OnDemandThroughput={"MaxReadRequestUnits": 1, "MaxWriteRequestUnits": 1})
    for n in range(5):
        db.put_item(TableName="free", Item=item(str(n), 40))
    db.put_item(TableName="limited", Item=item("a", 40))
    with pytest.raises(db.exceptions.ThrottlingException, match="OnDemandThroughput"):
        db.put_item(TableName="limited", Item=item("b", 1))


def test_nothing_is_throttled_unless_it_is_asked_for(cloudlet_server: Server) -> None:
    client = Aws(cloudlet_server.endpoint, fresh_account()).client("dynamodb")
    client.create_table(
        TableName="slow",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        **{**SLOW, "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
    )
    for n in range(5):
        client.put_item(TableName="slow", Item=item(str(n), 40))


def test_each_statement_of_a_batch_is_throttled_for_itself(db: Any, make_table: MakeTable) -> None:
    make_table("slow", "p:S", **SLOW)
    make_table("free", "p:S")
    statements = [
        {"Statement": f"INSERT INTO {table} VALUE {{'p': '{p}', 'text': ?}}", "Parameters": [{"S": "x" * 40_000}]}
        for table, p in (("slow", "a"), ("slow", "b"), ("free", "a"))
    ]
    answer = db.batch_execute_statement(Statements=statements)
    errors = [each.get("Error", {}).get("Code") for each in answer["Responses"]]
    assert errors == [None, "ProvisionedThroughputExceeded", None]
