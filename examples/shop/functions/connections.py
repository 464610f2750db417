"""connections: lets browsers that have a ticket in by the WebSocket API, and forgets those that have gone."""

from __future__ import annotations

from typing import Any

from shop import browsers, tables

dynamodb = tables.client()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    connection = event["requestContext"]["connectionId"]
    if event["requestContext"]["routeKey"] == "$disconnect":
        browsers.forget(dynamodb, connection)
        return {"statusCode": 200}
    ticket = (event.get("queryStringParameters") or {}).get("ticket", "")
    customer = browsers.redeem_ticket(dynamodb, ticket)
    if customer is None:
        return {"statusCode": 403}
    browsers.remember(dynamodb, customer, connection)
    print(f"{customer} is watching")
    return {"statusCode": 200}
