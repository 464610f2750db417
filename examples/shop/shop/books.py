"""Each service keeps its own books: a table that no other service opens, with a row for each thing it did."""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def enter(dynamodb: Any, table: str, order_id: str, **row: Any) -> None:
    """Enter what was done for an order. It is entered once: the second time changes nothing."""
    with suppress(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName=table, Item={"id": order_id, **row}, ConditionExpression="attribute_not_exists(id)")


def read(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    """Return all that was entered, as an auditor reads it."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [row for page in pages for row in page["Items"]]
