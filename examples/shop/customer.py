"""What a customer does with the shop, over its HTTP API."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import fields
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError

from shop import trace
from shop.order import Order, Wish
from waiting import DEADLINE_SECONDS, wait


class Customer:
    """`shop` is the URL of the service `orders`."""

    def __init__(self, shop: str) -> None:
        self._shop = shop

    def catalogue(self) -> list[dict[str, Any]]:
        return list(json.loads(fetch(f"{self._shop}/catalogue")))

    def orders(self, customer: str) -> list[dict[str, Any]]:
        """Return a customer's orders, the oldest first."""
        return list(json.loads(fetch(f"{self._shop}/customers/{customer}/orders")))

    def place(self, order: Order) -> dict[str, Any] | None:
        """Order until there is an answer; return the confirmation, or None where the shop does not take the order."""
        body = json.dumps(wish_of(order) | {"customer": order.customer}).encode()

        def ask() -> list[dict[str, Any] | None]:
            request = urllib.request.Request(f"{self._shop}/orders/{order.id}", body, trace.headers(), method="PUT")
            try:
                return [json.loads(fetch(request))]
            except HTTPError as refusal:
                with refusal:
                    if refusal.code == HTTPStatus.CONFLICT:
                        return [None]
                    if refusal.code == HTTPStatus.SERVICE_UNAVAILABLE:
                        return []
                raise

        with trace.segment("customer", trace.begin(), order=order.id):
            [confirmation] = wait(f"an answer to {order.id}", ask)
        return confirmation


def wish_of(order: Order) -> dict[str, Any]:
    """Return what a customer has to say who wants this order to come of it."""
    unsaid = ("id", "customer")
    return {field.name: getattr(order, field.name) for field in fields(Wish) if field.name not in unsaid}


def fetch(what: str | urllib.request.Request) -> bytes:
    with urllib.request.urlopen(what, timeout=DEADLINE_SECONDS) as answer:
        return bytes(answer.read())
