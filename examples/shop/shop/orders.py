"""orders: shows customers what there is, takes their orders, and tells what has become of them, over HTTP.

    GET /health                 that it is there
    GET /catalogue              what is sold, with a URL for each item's thumbnail
    PUT /orders/ID              {"customer": …, "item": …, "quantity": …, "currency": …, "mail": …}
    PUT /orders/ID/done/NAME    one of the shop's services has done its part
    GET /customers/NAME/orders  a customer's orders, and what they wait for

An order is answered with 202 as soon as DynamoDB has acknowledged it: no topic, no queue, and none of the other
services needs to be there. A customer who got no answer, or a 503, asks again under the same id: it is taken once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

from shop import catalogue, checkout, gallery, order_book, trace
from shop.checkout import Answer, bucket, dynamodb, s3
from shop.order import Wish
from shop.patience import end_when_told

VERSION = os.environ.get("SHOP_VERSION", "")
UNSTEADY = int(os.environ.get("SHOP_UNSTEADY", "0"))
"""Every how many reports one fails, as it would where a table is away for a moment; 0 is never."""
reports = count(1)


def show_catalogue() -> Answer:
    return HTTPStatus.OK, [
        {
            "item": product.item,
            "prices": product.prices,
            "stock": product.stock,
            "thumbnail": gallery.url(s3, bucket, gallery.THUMBNAILS, product.item),
        }
        for product in catalogue.show(dynamodb)
    ]


def place_order(order_id: str, body: bytes) -> Answer:
    return checkout.take(Wish.from_json(body, id=order_id))


def note_done(order_id: str, service: str) -> Answer:
    if UNSTEADY and next(reports) % UNSTEADY == 0:
        return HTTPStatus.SERVICE_UNAVAILABLE, {"error": "please report again"}
    order_book.done(dynamodb, order_id, service)
    return HTTPStatus.OK, {"order": order_id}


class OrdersServer(ThreadingHTTPServer):
    # What is being answered is answered before the program ends.
    daemon_threads = False


class OrdersApi(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        match self.path.split("/"):
            case ["", "health"]:
                self.send(HTTPStatus.OK, {})
            case ["", "catalogue"]:
                self.answer(show_catalogue)
            case ["", "customers", customer, "orders"]:
                self.answer(checkout.orders_of, customer)
            case _:
                self.send(HTTPStatus.NOT_FOUND, {"error": "there is nothing here"})

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match self.path.split("/"):
            case ["", "orders", order_id]:
                self.answer(place_order, order_id, body)
            case ["", "orders", order_id, "done", service]:
                self.answer(note_done, order_id, service)
            case _:
                self.send(HTTPStatus.NOT_FOUND, {"error": "there is nothing here"})

    def answer(self, function: Callable[..., Answer], *arguments: Any) -> None:
        """Send what a function answers, within the trace of who asks."""
        with trace.segment("orders", self.headers.get(trace.HEADER)):
            status, document = checkout.answered(function, *arguments)
        self.send(status, document)

    def send(self, status: HTTPStatus, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Shop-Version", VERSION)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Each order is printed above; a line per request would say it twice."""


if __name__ == "__main__":
    server = OrdersServer(("", int(os.environ.get("SHOP_PORT", "8080"))), OrdersApi)
    end_when_told()
    print(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()
