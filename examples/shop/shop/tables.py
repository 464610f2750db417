"""The shop's tables in DynamoDB are made in one way, and read and written as Python's own types."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import boto3


def client() -> Any:
    """Return a client that takes and gives numbers, sets and the like as Python's own. Threads may share it."""
    return boto3.resource("dynamodb").meta.client


def create(dynamodb: Any, name: str, **definition: Any) -> dict[str, Any]:
    """Create a table that is paid for by the request, if it is not there already, and return its description."""
    with suppress(dynamodb.exceptions.ResourceInUseException):
        dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **definition)
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    return dict(dynamodb.describe_table(TableName=name)["Table"])


def key(partition: str, sort: str | None = None) -> list[dict[str, str]]:
    """Return the schema of a key."""
    names = [partition] if sort is None else [partition, sort]
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def strings(*names: str) -> list[dict[str, str]]:
    """Return the definitions of key attributes that are strings."""
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]
