"""inventory: takes what was ordered off the stock, once."""

from __future__ import annotations

from shop.books import open_books
from shop.order import Order
from shop.worker import serve

SCHEMA = """
CREATE TABLE IF NOT EXISTS stock (item TEXT PRIMARY KEY, quantity INTEGER);
INSERT INTO stock VALUES ('lamp', 100), ('chair', 100), ('desk', 100), ('sample', 100) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS reservations (
    position INTEGER PRIMARY KEY,
    order_id TEXT UNIQUE,
    item TEXT,
    quantity INTEGER
)
"""


def reserve(order: Order) -> str:
    with books:
        new = books.execute(
            "INSERT INTO reservations (order_id, item, quantity) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (order.id, order.item, order.quantity),
        ).rowcount
        if new:
            books.execute("UPDATE stock SET quantity = quantity - ? WHERE item = ?", (order.quantity, order.item))
    return f"reserved {order.quantity} {order.item}"


if __name__ == "__main__":
    books = open_books("inventory", SCHEMA)
    serve("inventory", reserve)
