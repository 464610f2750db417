"""DynamoDB within the test's own process, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Auth, Config
from cloudlet.core.kernel.identity import Principal, root
from cloudlet.services.dynamodb.transfer import objects
from cloudlet.wire import load
from tests.in_process import InProcess

ACCOUNT = "111111111111"
OTHER = "222222222222"
REGION = "eu-west-1"


class LocalDynamo(InProcess):
    """Calls operations of DynamoDB and its streams as the root of an account, and moves the clock."""

    block = "dynamodb"

    def __init__(self, folder: Path, auth: Auth = "open") -> None:
        super().__init__(Config(data=folder, auth=auth, durable=False))

    def call(
        self, operation: str, *, by: Principal | None = None, service: str | None = None, **params: Any
    ) -> dict[str, Any]:
        """Call an operation, of DynamoDB or its streams unless another service is named. Raises AwsError."""
        caller = by or root(ACCOUNT)
        if service is None:
            service = "dynamodbstreams" if operation in load("dynamodbstreams").operations else "dynamodb"
        called = self.cloud.call(service, operation, params, principal=caller, account=caller.account, region=REGION)
        answer: dict[str, Any] = _plain(self.run(called) or {})
        return answer

    def refused(self, operation: str, *, by: Principal | None = None, **params: Any) -> AwsError:
        """Call an operation that is refused; return the error."""
        with pytest.raises(AwsError) as caught:
            self.call(operation, by=by, **params)
        return caught.value

    def body(self, body: Any) -> bytes:
        """Return the bytes of an object that S3 answers with."""
        contents: bytes = self.run(objects.bytes_of(body))
        return contents

    # -- in short

    def table(self, name: str = "orders", *, view: str | None = None, sort: bool = False, **params: Any) -> str:
        """Create a table with the string key p, and c if it is to have a sort key; return its ARN."""
        keys = ("p", "c") if sort else ("p",)
        if view is not None:
            params["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
        made = self.call(
            "CreateTable",
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            **{
                "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
                "BillingMode": "PAY_PER_REQUEST",
                **params,
            },
        )
        return str(made["TableDescription"]["TableArn"])

    def put(self, key: str, table: str = "orders", **attributes: str | int) -> None:
        self.call("PutItem", TableName=table, Item=item(key, **attributes))

    def delete(self, key: str, table: str = "orders") -> None:
        self.call("DeleteItem", TableName=table, Key={"p": {"S": key}})

    def items(self, table: str = "orders") -> dict[str, dict[str, Any]]:
        """Return all items of a table by their key."""
        found: dict[str, dict[str, Any]] = {}
        params: dict[str, Any] = {"TableName": table}
        while True:
            page = self.call("Scan", **params)
            found |= {each["p"]["S"]: each for each in page["Items"]}
            if "LastEvaluatedKey" not in page:
                return found
            params["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def stream(self, table: str = "orders") -> str:
        """Return the ARN of a table's latest stream."""
        return str(self.call("DescribeTable", TableName=table)["Table"]["LatestStreamArn"])

    def shards(self, stream: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("DescribeStream", StreamArn=stream)["StreamDescription"]["Shards"]
        return found

    def iterator(self, stream: str, shard: str, kind: str = "TRIM_HORIZON", **params: Any) -> str:
        got = self.call("GetShardIterator", StreamArn=stream, ShardId=shard, ShardIteratorType=kind, **params)
        return str(got["ShardIterator"])

    def records(self, stream: str) -> list[dict[str, Any]]:
        """Return all records of a stream, shard by shard, in the order of each."""
        found: list[dict[str, Any]] = []
        for shard in self.shards(stream):
            iterator: str | None = self.iterator(stream, shard["ShardId"])
            while iterator is not None:
                page = self.call("GetRecords", ShardIterator=iterator)
                found += page["Records"]
                iterator = page.get("NextShardIterator") if page["Records"] else None
        return found


def item(key: str, **attributes: str | int) -> dict[str, Any]:
    """Return an item with the key p: strings become S, numbers N."""
    return {"p": {"S": key}} | {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in attributes.items()
    }


def _plain(value: Any) -> Any:
    """Return an answer as a client has it: without what is None, and items decoded."""
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


@contextmanager
def local_dynamo(folder: Path, auth: Auth = "open") -> Iterator[LocalDynamo]:
    """DynamoDB on a folder, until the end of the `with` block."""
    local = LocalDynamo(folder, auth)
    try:
        yield local
    finally:
        local.close()


@pytest.fixture
def dynamo(tmp_path: Path) -> Iterator[LocalDynamo]:
    with local_dynamo(tmp_path) as local:
        yield local


@pytest.fixture
def strict_dynamo(tmp_path: Path) -> Iterator[LocalDynamo]:
    """DynamoDB that enforces permissions."""
    with local_dynamo(tmp_path, "strict") as local:
        yield local
