"""orders: takes orders over HTTP and publishes each to the topic; who follows up on it is not its business.

    PUT /orders/ID  {"customer": …, "item": …, "quantity": …, "price": …, "currency": …, "delivery": …, "mail": …}

It answers 202 as soon as SNS has acknowledged the order: no queue, and none of the other services, needs to be there.
A customer who got no answer, or a 503, asks again under the same id; those who follow up on an order do so once.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from shop import topic
from shop.order import Order

sns = boto3.client("sns")
topic_arn = topic.create(sns)


class OrdersApi(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        root, _, order_id = self.path.rpartition("/")
        if root != "/orders":
            self.answer(HTTPStatus.NOT_FOUND, {"error": "PUT /orders/ID places an order"})
            return
        try:
            order = Order.from_json(body, id=order_id)
        except ValueError as error:
            self.answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        print(f"{order.id}: {order.customer} orders {order.quantity} {order.item} for {order.price} {order.currency}")
        try:
            topic.publish(sns, topic_arn, order)
        except (BotoCoreError, ClientError) as error:
            print(f"{order.id}: not taken: {error}")
            self.answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "please order again"})
            return
        self.answer(HTTPStatus.ACCEPTED, {"order": order.id})

    def answer(self, status: HTTPStatus, document: dict[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Each order is printed above; a line per request would say it twice."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("SHOP_PORT", "8080"))), OrdersApi)
    print(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()
