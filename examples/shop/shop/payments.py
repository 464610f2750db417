"""payments: charges each order once."""

from __future__ import annotations

import os
from decimal import Decimal

from shop.books import open_books
from shop.order import Order
from shop.worker import serve_orders

SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    position INTEGER PRIMARY KEY,
    order_id TEXT UNIQUE,
    customer TEXT,
    amount INTEGER, -- in the currency's smallest unit
    currency TEXT
)
"""

digits = {
    currency: int(count)
    for currency, count in (pair.split(":") for pair in os.environ.get("SHOP_CURRENCIES", "EUR:2 USD:2").split())
}
"""The currencies that we can charge, and how many digits each has behind the point."""


def charge(order: Order) -> str:
    if order.currency not in digits:
        raise LookupError(f"cannot charge {order.customer} in {order.currency}")
    amount = int(Decimal(order.price).scaleb(digits[order.currency]))
    with books:
        books.execute(
            "INSERT INTO charges (order_id, customer, amount, currency) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (order.id, order.customer, amount, order.currency),
        )
    return f"charged {order.customer} {order.price} {order.currency}"


if __name__ == "__main__":
    books = open_books("payments", SCHEMA)
    serve_orders("payments", charge)
