"""What should have become of this run's orders, and what has."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from shop.catalogue import PRODUCTS
from shop.order import Order

RUN = secrets.token_hex(2)
"""Tells this run's orders from those of others."""

ORDERS = [
    Order(f"{RUN}-1", "ada", "desk", 1, "EUR", price="499.00"),
    Order(f"{RUN}-2", "grace", "lamp", 2, "USD", price="59.80", mail=False),
    Order(f"{RUN}-3", "ada", "manual", 1, "EUR", price="9.90", delivery="download"),
    Order(f"{RUN}-4", "hideo", "brochure", 1, "USD", price="0", delivery="download"),
    Order(f"{RUN}-5", "hideo", "chair", 2, "JPY", price="41000"),
    Order(f"{RUN}-6", "grace", "sample", 3, "USD", price="0.00", mail=False),
]
FOR_THE_LAST_PIECE = [
    Order(f"{RUN}-7", "ada", "globe", 1, "EUR", price="1250.00"),
    Order(f"{RUN}-8", "grace", "globe", 1, "USD", price="1300.00"),
]
ORDERS_IN_THE_OUTAGE = [
    Order(f"{RUN}-9", "hideo", "desk", 1, "USD", price="545.00"),
    Order(f"{RUN}-10", "ada", "lamp", 2, "EUR", price="59.80"),
    Order(f"{RUN}-11", "grace", "chair", 4, "USD", price="516.00", mail=False),
]
FROM_A_BROWSER = Order(f"{RUN}-12", "grace", "desk", 2, "EUR", price="998.00")
POISONED = ORDERS[4]

TABLES = {
    "payments": "charges",
    "inventory": "packed",
    "email": "letters",
    "partner": "parcels",
    "outbox": "completed",
}
"""In each one's books, the table that has a row for each order."""


def due(service: str, orders: Iterable[Order]) -> set[str]:
    """Return the ids of those of the orders that a service should handle."""
    return {
        order.id
        for order in orders
        if service == "outbox" or service in order.todo or (service == "partner" and order.delivery == "parcel")
    }


def handled(data: str, service: str) -> list[str]:
    """Return the ids of the orders that a service has handled, in the order it did."""
    rows = _ask(data, service, f"SELECT order_id FROM {TABLES[service]} ORDER BY position")
    return [order_id for (order_id,) in rows]


def calls(data: str) -> list[tuple[str, str]]:
    """Return of which alarms the one on call has heard, and their states, in order."""
    return [
        (alarm, state) for alarm, state in _ask(data, "on-call", "SELECT alarm, state FROM calls ORDER BY position")
    ]


def mistakes(data: str, services: Iterable[str], taken: list[Order], catalogue: list[dict[str, Any]]) -> list[str]:
    """Say what went otherwise than it should have. `taken` are the orders that customers had confirmed."""
    found = []
    for service in services:
        done, wanted = sorted(handled(data, service)), sorted(due(service, taken))
        if done != wanted:
            found.append(f"{service} should have handled {wanted}, but handled {done}")
    left = {product["item"]: product["stock"] for product in catalogue}
    for product in PRODUCTS:
        sold = sum(order.quantity for order in taken if order.item == product.item)
        if product.stock is not None and left[product.item] != product.stock - sold:
            found.append(f"{left[product.item]} of {product.stock} {product.item} are left after {sold} were sold")
    [[yen]] = _ask(data, "payments", "SELECT sum(amount) FROM charges WHERE currency = 'JPY'")
    if yen != int(POISONED.price):
        found.append(f"charged {yen} yen, not {POISONED.price}")
    return found


def _ask(data: str, service: str, query: str) -> list[Any]:
    """Look into a service's books, as only its owner or an auditor may."""
    with closing(sqlite3.connect(f"file:{data}/{service}.sqlite?mode=ro", uri=True)) as books:
        return books.execute(query).fetchall()
