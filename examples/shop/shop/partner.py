"""partner: a carrier, another company with a server of its own, which SNS tells what there is to carry.

It believes what SNS has signed, of the one topic that it has agreed to hear from: `$SHOP_TOPIC`, an ARN. The first
message asks whether it wants to be subscribed, and it confirms by visiting a URL.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from shop import signature
from shop.books import open_books
from shop.order import Order

SCHEMA = """
CREATE TABLE IF NOT EXISTS parcels (
    position INTEGER PRIMARY KEY,
    order_id TEXT UNIQUE,
    content TEXT
)
"""


class PartnerApi(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            message = json.loads(body)
            signature.verify(message)
            if message["TopicArn"] != topic_arn:
                raise ValueError(f"did not agree to hear from {message['TopicArn']}")
            print(hear(message))
        except (ValueError, LookupError, TypeError) as error:
            print(f"refused: {error}")
            self.answer(HTTPStatus.FORBIDDEN)
        except OSError as error:
            # SNS tries again.
            print(f"cannot reach SNS: {error}")
            self.answer(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self.answer(HTTPStatus.OK)

    def answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Each message is printed above."""


def hear(message: dict[str, Any]) -> str:
    """Do what a message asks for, and say what that was."""
    if message["Type"] == "SubscriptionConfirmation":
        signature.visit(message["SubscribeURL"])
        return "confirmed the subscription"
    if message["Type"] == "UnsubscribeConfirmation":
        return "is not subscribed any more"
    order = Order.from_json(message["Message"])
    content = f"{order.quantity} {order.item}"
    with books:
        books.execute(
            "INSERT INTO parcels (order_id, content) VALUES (?, ?) ON CONFLICT DO NOTHING", (order.id, content)
        )
    return f"{order.id}: a parcel with {content}, signed by SNS"


if __name__ == "__main__":
    topic_arn = os.environ["SHOP_TOPIC"]
    books = open_books("partner", SCHEMA)
    server = HTTPServer(("127.0.0.1", int(os.environ.get("PARTNER_PORT", "8081"))), PartnerApi)
    print(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()
