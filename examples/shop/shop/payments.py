"""payments: charges each order once."""

from __future__ import annotations

import os
from decimal import Decimal

from shop import books, names, tables
from shop.order import Order
from shop.worker import serve_orders

digits = {
    currency: int(count)
    for currency, count in (pair.split(":") for pair in os.environ.get("SHOP_CURRENCIES", "EUR:2 USD:2").split())
}
"""The currencies that we can charge, and how many digits each has behind the point."""


def charge(order: Order) -> str:
    if order.currency not in digits:
        raise LookupError(f"cannot charge {order.customer} in {order.currency}")
    # In the currency's smallest unit.
    amount = int(Decimal(order.price).scaleb(digits[order.currency]))
    books.enter(dynamodb, names.CHARGES, order.id, customer=order.customer, amount=amount, currency=order.currency)
    return f"charged {order.customer} {order.price} {order.currency}"


if __name__ == "__main__":
    dynamodb = tables.client()
    serve_orders("payments", charge)
