"""email: thanks the customer for each order, once. The letters stay in its books: this shop has no mail server yet."""

from __future__ import annotations

from shop import books, names, tables
from shop.order import Order
from shop.worker import serve_orders


def thank(order: Order) -> str:
    text = f"Dear {order.customer}, thank you for your order of {order.quantity} {order.item}."
    books.enter(dynamodb, names.LETTERS, order.id, customer=order.customer, text=text)
    return f"wrote to {order.customer}"


if __name__ == "__main__":
    dynamodb = tables.client()
    serve_orders("email", thank)
