"""email: thanks the customer for each order, once. The letters stay in its books: this shop has no mail server yet."""

from __future__ import annotations

from shop.books import open_books
from shop.order import Order
from shop.worker import serve_orders

SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    position INTEGER PRIMARY KEY,
    order_id TEXT UNIQUE,
    customer TEXT,
    text TEXT
)
"""


def thank(order: Order) -> str:
    text = f"Dear {order.customer}, thank you for your order of {order.quantity} {order.item}."
    with books:
        books.execute(
            "INSERT INTO letters (order_id, customer, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (order.id, order.customer, text),
        )
    return f"wrote to {order.customer}"


if __name__ == "__main__":
    books = open_books("email", SCHEMA)
    serve_orders("email", thank)
