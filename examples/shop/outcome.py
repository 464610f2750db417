"""What should have become of this run's orders, and what has."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from decimal import Decimal
from typing import Any

from shop.order import Order

RUN = secrets.token_hex(2)
"""Tells this run's orders from those of others."""

ORDERS = [
    Order(f"{RUN}-1", "ada", "desk", 1, "499.00", "EUR"),
    Order(f"{RUN}-2", "grace", "lamp", 2, "59.80", "USD", mail=False),
    Order(f"{RUN}-3", "ada", "manual", 1, "9.90", "EUR", delivery="download"),
    Order(f"{RUN}-4", "hideo", "catalogue", 1, "0", "USD", delivery="download"),
    Order(f"{RUN}-5", "hideo", "chair", 2, "41000", "JPY"),
    Order(f"{RUN}-6", "grace", "sample", 3, "0.00", "USD", mail=False),
]
ORDERS_IN_THE_OUTAGE = [
    Order(f"{RUN}-7", "hideo", "desk", 1, "545.00", "USD"),
    Order(f"{RUN}-8", "ada", "lamp", 2, "59.80", "EUR"),
    Order(f"{RUN}-9", "grace", "chair", 4, "516.00", "USD", mail=False),
]
ALL = [*ORDERS, *ORDERS_IN_THE_OUTAGE]
POISONED = ORDERS[4]

WANTED: dict[str, Callable[[Order], bool]] = {
    "payments": lambda order: Decimal(order.price) > 0,
    "inventory": lambda order: order.delivery == "parcel",
    "email": lambda order: order.mail,
    "partner": lambda order: order.delivery == "parcel",
}
"""Which orders each should get."""

TABLES = {"payments": "charges", "inventory": "reservations", "email": "letters", "partner": "parcels"}
"""In each one's books, the table that has a row for each order."""


def due(service: str, orders: Iterable[Order] = ALL) -> set[str]:
    """Return the ids of the orders that a service should handle."""
    return {order.id for order in orders if WANTED[service](order)}


def handled(data: str, service: str) -> list[str]:
    """Return the ids of the orders that a service has handled, in the order it did."""
    rows = _ask(data, service, f"SELECT order_id FROM {TABLES[service]} ORDER BY position")
    return [order_id for (order_id,) in rows]


def mistakes(data: str, services: Iterable[str]) -> list[str]:
    """Say what went otherwise than it should have."""
    found = []
    for service in services:
        done = handled(data, service)
        if sorted(done) != sorted(due(service)):
            found.append(f"{service} should have handled {sorted(due(service))}, but handled {sorted(done)}")
    for item, left in _ask(data, "inventory", "SELECT item, quantity FROM stock"):
        ordered = sum(order.quantity for order in ALL if order.item == item)
        if left != 100 - ordered:
            found.append(f"{left} of 100 {item} are left after {ordered} were ordered")
    [[yen]] = _ask(data, "payments", "SELECT sum(amount) FROM charges WHERE currency = 'JPY'")
    if yen != int(POISONED.price):
        found.append(f"charged {yen} yen, not {POISONED.price}")
    return found


def _ask(data: str, service: str, query: str) -> list[Any]:
    """Look into a service's books, as only its owner or an auditor may."""
    with closing(sqlite3.connect(f"file:{data}/{service}.sqlite?mode=ro", uri=True)) as books:
        return books.execute(query).fetchall()
