"""What DynamoDB measures of itself is found in CloudWatch, a minute after."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.own_metrics import total
from tests.standing import Standing, eventually

KEY = {"k": {"S": "a"}}
READ, WRITTEN = "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"


def table(client: Any, name: str = "orders", **more: Any) -> None:
    client.create_table(
        **{
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            **more,
        }
    )


def index(attribute: str, **more: Any) -> dict[str, Any]:
    schema = [{"AttributeName": attribute, "KeyType": "HASH"}]
    return {"IndexName": f"by-{attribute}", "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}, **more}


def measured(standing: Standing, aws: Aws, metric: str, **dimensions: str) -> float:
    """Move the clock to the next minute; return the sum of a metric of the table, once it is there."""
    standing.advance("1m")
    found = eventually(lambda: of_table(aws, metric, **dimensions), lambda sum: sum is not None)
    assert found is not None
    return found


def of_table(aws: Aws, metric: str, **dimensions: str) -> float | None:
    return total(aws, "AWS/DynamoDB", metric, TableName="orders", **dimensions)


def test_a_table_tells_what_was_consumed_of_it_and_how_long_that_took(standing: Standing) -> None:
    aws = standing.account()
    client = aws.client("dynamodb")
    table(client)
    client.put_item(TableName="orders", Item={**KEY, "v": {"S": "x" * 1500}})
    client.get_item(TableName="orders", Key=KEY)
    client.get_item(TableName="orders", Key=KEY, ConsistentRead=True)
    client.transact_get_items(TransactItems=[{"Get": {"TableName": "orders", "Key": KEY}}])
    client.batch_get_item(RequestItems={"orders": {"Keys": [KEY]}})
    client.scan(TableName="orders", ConsistentRead=True)
    client.query(TableName="orders", KeyConditionExpression="k = :k", ExpressionAttributeValues={":k": {"S": "a"}})
    client.execute_statement(Statement="SELECT * FROM orders WHERE k = 'a'")
    client.batch_execute_statement(Statements=[{"Statement": "SELECT * FROM orders WHERE k = 'a'"}])
    client.batch_write_item(RequestItems={"orders": [{"PutRequest": {"Item": {"k": {"S": "b"}}}}]})
    client.transact_write_items(TransactItems=[{"Delete": {"TableName": "orders", "Key": {"k": {"S": "b"}}}}])
    client.delete_item(TableName="orders", Key=KEY)
    # A scan looks into each of four partitions.
    assert measured(standing, aws, READ) == 0.5 + 1 + 2 + 0.5 + 4 + 0.5 + 0.5 + 0.5
    assert of_table(aws, WRITTEN) == 2 + 1 + 2 + 2
    for operation in ("Scan", "Query", "ExecuteStatement"):
        assert of_table(aws, "ReturnedItemCount", Operation=operation) == 1
    for operation in ("PutItem", "GetItem", "Scan", "BatchWriteItem", "TransactWriteItems"):
        took = of_table(aws, "SuccessfulRequestLatency", Operation=operation)
        assert took is not None
        assert 0 < took < 10_000
    assert of_table(aws, "SuccessfulRequestLatency", Operation="UpdateItem") is None


def test_a_global_index_tells_what_was_consumed_of_it(standing: Standing) -> None:
    aws = standing.account()
    client = aws.client("dynamodb")
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("k", "g")]
    table(client, AttributeDefinitions=attributes, GlobalSecondaryIndexes=[index("g")])
    client.put_item(TableName="orders", Item={**KEY, "g": {"S": "g"}})
    client.query(
        TableName="orders",
        IndexName="by-g",
        KeyConditionExpression="g = :g",
        ExpressionAttributeValues={":g": {"S": "g"}},
    )
    assert measured(standing, aws, READ, GlobalSecondaryIndexName="by-g") == 0.5
    assert of_table(aws, WRITTEN, GlobalSecondaryIndexName="by-g") == 1
    assert of_table(aws, WRITTEN) == 1
    assert not of_table(aws, READ)


def test_failures_are_told_apart(standing: Standing) -> None:
    aws = standing.account()
    client = aws.client("dynamodb")
    table(client)
    for call in (
        lambda: client.put_item(TableName="orders", Item=KEY, ConditionExpression="attribute_exists(k)"),
        lambda: client.execute_statement(Statement="UPDATE orders SET v = 1 WHERE k = 'a'"),
        lambda: client.put_item(TableName="orders", Item=KEY, ConditionExpression="nonsense"),
        lambda: client.get_item(TableName="missing", Key=KEY),
        lambda: client.transact_write_items(
            TransactItems=[{"ConditionCheck": {"TableName": "orders", "Key": KEY, "ConditionExpression": "k = k"}}]
        ),
    ):
        with suppress(ClientError):
            call()  # type: ignore[no-untyped-call]
            pytest.fail("it was let through")
    # What was looked at for a condition is consumed.
    assert measured(standing, aws, WRITTEN) == 2
    assert of_table(aws, "ConditionalCheckFailedRequests") == 2
    assert total(aws, "AWS/DynamoDB", "UserErrors") == 3
    assert of_table(aws, "SystemErrors", Operation="PutItem") is None
    assert of_table(aws, "SuccessfulRequestLatency", Operation="PutItem") is None


def test_a_stream_tells_what_was_read_of_it(standing: Standing) -> None:
    aws = standing.account()
    client, streams = aws.client("dynamodb"), aws.client("dynamodbstreams")
    table(client, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    for key in "ab":
        client.put_item(TableName="orders", Item={"k": {"S": key}})
    described = client.describe_table(TableName="orders")["Table"]
    stream, label = described["LatestStreamArn"], described["LatestStreamLabel"]
    read = 0
    for shard in streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
        at = streams.get_shard_iterator(StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        read += len(streams.get_records(ShardIterator=at["ShardIterator"])["Records"])
    assert read == 2
    dimensions = {"Operation": "GetRecords", "StreamLabel": label}
    assert measured(standing, aws, "ReturnedRecordsCount", **dimensions) == 2
    assert (of_table(aws, "ReturnedBytes", **dimensions) or 0) > 0


def test_items_whose_time_is_over_are_counted(standing: Standing) -> None:
    aws = standing.account()
    client = aws.client("dynamodb")
    table(client)
    client.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    for key in "abc":
        client.put_item(TableName="orders", Item={"k": {"S": key}, "expires": {"N": "1899000000"}})

    def left() -> list[Any]:
        standing.advance("1s")
        return list(client.scan(TableName="orders")["Items"])

    eventually(left, lambda items: not items)
    assert measured(standing, aws, "TimeToLiveDeletedItemCount") == 3
    assert of_table(aws, WRITTEN) == 3


def test_what_is_provisioned_is_told_every_five_minutes(standing: Standing) -> None:
    aws = standing.account()
    client = aws.client("dynamodb")
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("k", "g")]

    def units(read: int, write: int) -> dict[str, int]:
        return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}

    table(
        client,
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units(8000, 4),
        AttributeDefinitions=attributes,
        GlobalSecondaryIndexes=[index("g", ProvisionedThroughput=units(4000, 1))],
    )
    table(client, "limited", OnDemandThroughput={"MaxReadRequestUnits": 7})
    standing.advance("5m")
    provisioned = "ProvisionedReadCapacityUnits"
    assert eventually(lambda: of_table(aws, provisioned)) == 8000
    assert of_table(aws, provisioned, GlobalSecondaryIndexName="by-g") == 4000
    assert total(aws, "AWS/DynamoDB", "OnDemandMaxReadRequestUnits", TableName="limited") == 7
    assert total(aws, "AWS/DynamoDB", provisioned, TableName="limited") is None
    for metric, expected in {
        "AccountMaxReads": 80_000,
        "AccountMaxTableLevelWrites": 40_000,
        "AccountProvisionedReadCapacityUtilization": 15,
        "MaxProvisionedTableReadCapacityUtilization": 20,
    }.items():
        assert total(aws, "AWS/DynamoDB", metric) == expected, metric
