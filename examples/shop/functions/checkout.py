"""checkout: takes the orders that come in by the public API. It calls this only for who has a valid token."""

from __future__ import annotations

import json
from typing import Any

from shop import checkout
from shop.order import Wish


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer `PUT /orders/ID`: {"item": …, "quantity": …, "currency": …, "mail": …}."""
    customer = event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"]
    order_id, body = event["pathParameters"]["order"], event.get("body", "")

    def take() -> checkout.Answer:
        return checkout.take(Wish.from_json(body, id=order_id, customer=customer))

    status, document = checkout.answered(take)
    return {
        "statusCode": status.value,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(document),
    }
