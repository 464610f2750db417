"""A client for a fresh account, and tables of the usual shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config

from cloudlet.testing.server import Aws
from tests.services.dynamodb.local import dynamo, strict_dynamo

__all__ = ["dynamo", "strict_dynamo"]

MakeTable = Callable[..., str]


@pytest.fixture
def db(aws: Aws) -> Any:
    """A DynamoDB client of an account that nobody else uses; it does not try again what is refused."""
    return aws.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def make_table(db: Any) -> MakeTable:
    """Makes a table on demand: `make_table("orders", "p:S c:N", attributes="x:S")`; x is for indexes."""

    def make(name: str, keys: str, *, attributes: str = "", **more: Any) -> str:
        own = [each.split(":") for each in keys.split()]
        defined = [*own, *(each.split(":") for each in attributes.split())]
        db.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for (key, _), kind in zip(own, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in defined],
            **{"BillingMode": "PAY_PER_REQUEST", **more},
        )
        return name

    return make


def index(name: str, keys: str, projection: str = "ALL", *included: str) -> dict[str, Any]:
    """Return a secondary index: `index("by-x", "x y")` has the partition key x and the sort key y.

    Keys of several attributes are joined by +: "a+b c+d".
    """
    schema = [
        {"AttributeName": key, "KeyType": kind}
        for part, kind in zip(keys.split(), ("HASH", "RANGE"), strict=False)
        for key in part.split("+")
    ]
    shown: dict[str, Any] = {"ProjectionType": projection}
    if included:
        shown["NonKeyAttributes"] = list(included)
    return {"IndexName": name, "KeySchema": schema, "Projection": shown}
