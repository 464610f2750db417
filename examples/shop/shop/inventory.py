"""inventory: packs the parcels, each once. The goods are off the stock since the order was taken."""

from __future__ import annotations

from shop.books import open_books
from shop.order import Order
from shop.worker import serve_orders

SCHEMA = """
CREATE TABLE IF NOT EXISTS packed (
    position INTEGER PRIMARY KEY,
    order_id TEXT UNIQUE,
    item TEXT,
    quantity INTEGER
)
"""


def pack(order: Order) -> str:
    with books:
        books.execute(
            "INSERT INTO packed (order_id, item, quantity) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (order.id, order.item, order.quantity),
        )
    return f"packed {order.quantity} {order.item}"


if __name__ == "__main__":
    books = open_books("inventory", SCHEMA)
    serve_orders("inventory", pack)
