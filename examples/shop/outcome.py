"""What should have become of this run's orders, and what has."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from shop import books, names
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

BOOKS = {
    "payments": names.CHARGES,
    "inventory": names.PACKED,
    "email": names.LETTERS,
    "outbox": names.COMPLETED,
}
"""The table in which each service has a row for each order."""


def due(service: str, orders: Iterable[Order]) -> set[str]:
    """Return the ids of those of the orders that a service should handle."""
    return {
        order.id
        for order in orders
        if service == "outbox" or service in order.todo or (service == "partner" and order.delivery == "parcel")
    }


def handled(dynamodb: Any, service: str) -> set[str]:
    """Return the ids of this run's orders that a service has handled."""
    return {row["id"] for row in books.read(dynamodb, BOOKS[service]) if row["id"].startswith(f"{RUN}-")}


def mistakes(
    dynamodb: Any, done: Callable[[str], set[str]], services: Iterable[str], taken: list[Order], left: dict[str, int]
) -> list[str]:
    """Say what went otherwise than it should have.

    `done` returns what a service has handled; `taken` are the orders that customers had confirmed, and `left` says how
    many are left of each item.
    """
    found = []
    for service in services:
        if done(service) != due(service, taken):
            found.append(f"{service} should have handled {due(service, taken)}, but handled {done(service)}")
    for product in PRODUCTS:
        sold = sum(order.quantity for order in taken if order.item == product.item)
        if product.stock is not None and left[product.item] != product.stock - sold:
            found.append(f"{left[product.item]} of {product.stock} {product.item} are left after {sold} were sold")
    charges = {row["id"]: int(row["amount"]) for row in books.read(dynamodb, names.CHARGES)}
    for order in taken:
        cents = order.price.replace(".", "")
        if "payments" in order.todo and charges.get(order.id) != int(cents):
            found.append(f"{order.id} costs {order.price} {order.currency}, but {charges.get(order.id)} were charged")
    return found
