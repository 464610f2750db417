"""progress: tells the browsers of a customer what becomes of his orders, as the stream of their table has it."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from shop import browsers, stream, tables, trace

dynamodb = tables.client()
live = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["SHOP_LIVE"].replace("ws", "http", 1))


def handler(event: dict[str, Any], context: Any) -> None:
    for record in event["Records"]:
        before, after = stream.images(record["dynamodb"])
        if after is not None and (before is None or before.get("todo") != after.get("todo")):
            with trace.segment("progress", after.get("trace")):
                tell(after)


def tell(order: stream.Row) -> None:
    state = json.dumps({"order": order["id"], "waits_for": sorted(order.get("todo", ()))})
    for connection in browsers.of_customer(dynamodb, order["customer"]):
        try:
            live.post_to_connection(ConnectionId=connection, Data=state.encode())
        except live.exceptions.GoneException:
            browsers.forget(dynamodb, connection)
