"""checkout: takes the orders that come in by the public API."""

from __future__ import annotations

from typing import Any

from shop import checkout
from shop.order import Wish

from functions import visit


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer `PUT /orders/ID`: {"item": …, "quantity": …, "currency": …, "mail": …}."""
    order_id, body = event["pathParameters"]["order"], event.get("body", "")

    def take() -> checkout.Answer:
        return checkout.take(Wish.from_json(body, id=order_id, customer=visit.customer(event)))

    return visit.answer(*checkout.answered(take))
