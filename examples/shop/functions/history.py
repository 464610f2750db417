"""history: shows customers their orders."""

from __future__ import annotations

from typing import Any

from shop import checkout

from functions import visit


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer `GET /orders`."""
    return visit.answer(*checkout.answered(checkout.orders_of, visit.customer(event)))
