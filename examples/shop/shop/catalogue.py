"""The table of what the shop sells: an item's prices, how it is delivered, and how many are left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import boto3

from shop import names
from shop.order import Order, Wish


@dataclass(frozen=True)
class Product:
    """`prices` are those of one piece, by currency; of what is downloaded there is always more."""

    item: str
    prices: dict[str, str]
    stock: int | None = None


PRODUCTS = [
    Product("desk", {"EUR": "499.00", "USD": "545.00"}, stock=100),
    Product("lamp", {"EUR": "29.90", "USD": "29.90"}, stock=100),
    Product("chair", {"JPY": "20500", "USD": "129.00"}, stock=100),
    Product("sample", {"USD": "0.00"}, stock=100),
    Product("globe", {"EUR": "1250.00", "USD": "1300.00"}, stock=1),
    Product("manual", {"EUR": "9.90"}),
    Product("brochure", {"USD": "0"}),
]


def fill(products: Iterable[Product]) -> None:
    """Enter products, many at a time; one that is there already has the new prices and stock from then on."""
    with boto3.resource("dynamodb").Table(names.CATALOGUE).batch_writer() as rows:
        for product in products:
            rows.put_item({name: value for name, value in asdict(product).items() if value is not None})


def show(dynamodb: Any) -> list[Product]:
    """Return all there is."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=names.CATALOGUE)
    return sorted((_product(row) for page in pages for row in page["Items"]), key=lambda product: product.item)


def price(dynamodb: Any, wish: Wish) -> Order:
    """Return the order that fulfils a wish, if there are enough. Raises LookupError for what is not sold."""
    row = dynamodb.get_item(TableName=names.CATALOGUE, Key={"item": wish.item}).get("Item")
    product = _product(row) if row else None
    if product is None or wish.currency not in product.prices:
        raise LookupError(f"no {wish.item} is sold for {wish.currency}")
    return Order(
        **vars(wish),
        price=f"{wish.quantity * Decimal(product.prices[wish.currency]):f}",
        delivery="download" if product.stock is None else "parcel",
    )


def take(order: Order) -> dict[str, Any]:
    """Return the write that takes an order's goods off the stock, where there are enough: a part of a transaction."""
    return {
        "Update": {
            "TableName": names.CATALOGUE,
            "Key": {"item": order.item},
            "UpdateExpression": "SET stock = stock - :quantity",
            "ConditionExpression": "stock >= :quantity",
            "ExpressionAttributeValues": {":quantity": order.quantity},
        }
    }


def _product(row: dict[str, Any]) -> Product:
    # DynamoDB's numbers are decimal.
    return Product(row["item"], row["prices"], int(row["stock"]) if "stock" in row else None)
