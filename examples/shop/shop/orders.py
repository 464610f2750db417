"""orders: takes orders over HTTP and hands each to the services that follow up on it.

    PUT /orders/ID  {"customer": …, "item": …, "quantity": …, "price": …, "currency": …}

It answers 202 once every queue has the order. A customer who got no answer asks again under the same id: that id is
the message's deduplication id, so no queue takes the order twice.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3

from shop import queues
from shop.order import Order

sqs = boto3.client("sqs")
queue_urls = [queues.url(sqs, queues.name(service)) for service in queues.SERVICES]


def accept(order: Order) -> None:
    """Put the order into each queue, behind the earlier orders of its customer."""
    for queue_url in queue_urls:
        sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=order.to_json(),
            MessageGroupId=order.customer,
            MessageDeduplicationId=order.id,
        )


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
        accept(order)
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
