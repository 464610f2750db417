"""The table of the shop's orders, and how an order is taken: together with its goods, or not at all.

Besides the order, a row has the time when it was `placed`, and in the set `todo` the services that have not yet done
their part. DynamoDB keeps no empty set: an order without `todo` is complete. `trace` says in which trace it was placed:
so the trace goes on with those who read the table's stream.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from boto3.dynamodb.conditions import Attr, Key

from shop import catalogue, names, trace
from shop.order import Order


class Refused(Exception):
    """The order cannot be taken, now and in future."""


class Conflict(Exception):
    """Another order for the same item was being taken at the same time: try again."""


def stream(dynamodb: Any) -> str:
    """Return the ARN of the table's stream."""
    return str(dynamodb.describe_table(TableName=names.ORDERS)["Table"]["LatestStreamArn"])


def place(dynamodb: Any, order: Order) -> None:
    """Take an order, and what it needs off the stock. Taking it again changes nothing. Raises Refused, Conflict."""
    row = {**asdict(order), "placed": datetime.now(UTC).isoformat()}
    if order.todo:
        row["todo"] = order.todo
    if trace.header():
        row["trace"] = trace.header()
    writes = [{"Put": {"TableName": names.ORDERS, "Item": row, "ConditionExpression": "attribute_not_exists(id)"}}]
    if order.delivery == "parcel":
        writes.append(catalogue.take(order))
    try:
        dynamodb.transact_write_items(TransactItems=writes)
    except dynamodb.exceptions.TransactionCanceledException as cancelled:
        # One for each of the writes.
        reasons = [reason["Code"] for reason in cancelled.response["CancellationReasons"]]
        if reasons[0] == "ConditionalCheckFailed":
            if find(dynamodb, order.id) != order:
                raise Refused("there is another order by that name") from None
        elif "ConditionalCheckFailed" in reasons:
            raise Refused(f"there are fewer than {order.quantity} {order.item} left") from None
        else:
            raise Conflict from cancelled


def find(dynamodb: Any, order_id: str) -> Order | None:
    row = dynamodb.get_item(TableName=names.ORDERS, Key={"id": order_id}, ConsistentRead=True).get("Item")
    return from_row(row) if row else None


def done(dynamodb: Any, order_id: str, service: str) -> None:
    """Note that a service has done its part. Raises KeyError where there is no such order."""
    try:
        dynamodb.update_item(
            TableName=names.ORDERS,
            Key={"id": order_id},
            UpdateExpression="DELETE todo :service",
            ConditionExpression=Attr("id").exists(),
            ExpressionAttributeValues={":service": {service}},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        raise KeyError(order_id) from None


def of_customer(dynamodb: Any, customer: str) -> list[dict[str, Any]]:
    """Return the rows of a customer's orders, the oldest first."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=names.ORDERS, IndexName=names.BY_CUSTOMER, KeyConditionExpression=Key("customer").eq(customer)
    )
    return [row for page in pages for row in page["Items"]]


def from_row(row: dict[str, Any]) -> Order:
    known = {field.name: row[field.name] for field in fields(Order)}
    return Order(**known | {"quantity": int(known["quantity"])})
