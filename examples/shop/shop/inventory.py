"""inventory: packs the parcels, each once. The goods are off the stock since the order was taken."""

from __future__ import annotations

from shop import books, names, tables
from shop.order import Order
from shop.worker import serve_orders


def pack(order: Order) -> str:
    books.enter(dynamodb, names.PACKED, order.id, item=order.item, quantity=order.quantity)
    return f"packed {order.quantity} {order.item}"


if __name__ == "__main__":
    dynamodb = tables.client()
    serve_orders("inventory", pack)
