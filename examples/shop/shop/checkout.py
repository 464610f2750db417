"""What the shop does for customers, whichever door they come in by: it takes orders, and tells what became of them."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shop import catalogue, gallery, order_book, tables
from shop.order import Wish

dynamodb = tables.client()
s3, bucket = gallery.client(), gallery.name()

Answer = tuple[HTTPStatus, Any]


def take(wish: Wish) -> Answer:
    order = catalogue.price(dynamodb, wish)
    print(f"{order.id}: {order.customer} orders {order.quantity} {order.item} for {order.price} {order.currency}")
    order_book.place(dynamodb, order)
    picture = gallery.url(s3, bucket, gallery.PICTURES, order.item)
    return HTTPStatus.ACCEPTED, {"order": order.id, "price": order.price, "picture": picture}


def orders_of(customer: str) -> Answer:
    """Show a customer's orders, the oldest first, and what they wait for."""
    return HTTPStatus.OK, [
        {
            "order": row["id"],
            "item": row["item"],
            "quantity": int(row["quantity"]),
            "price": row["price"],
            "currency": row["currency"],
            "waits_for": sorted(row.get("todo", ())),
        }
        for row in order_book.of_customer(dynamodb, customer)
    ]


def answered(function: Callable[..., Answer], *arguments: Any) -> Answer:
    """Return what a function answers, or why it does not."""
    try:
        return function(*arguments)
    except ValueError as error:
        return HTTPStatus.BAD_REQUEST, {"error": str(error)}
    except LookupError as error:
        return HTTPStatus.NOT_FOUND, {"error": str(error)}
    except order_book.Refused as error:
        print(f"refused: {error}")
        return HTTPStatus.CONFLICT, {"error": str(error)}
    except (order_book.Conflict, BotoCoreError, ClientError) as error:
        print(f"not now: {error!r}")
        return HTTPStatus.SERVICE_UNAVAILABLE, {"error": "please ask again"}
