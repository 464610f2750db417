"""A carrier, another company with a server of its own, which SNS tells what there is to carry.

It believes what SNS has signed, of the one topic that it has agreed to hear from. The first message asks whether it
wants to be subscribed, and it confirms by visiting a URL.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import signature
from shop.order import Order


class Partner:
    """Answers at `url` until `running` ends it. `parcels` are the contents of what there is to carry, by order."""

    def __init__(self, running: ExitStack, topic_arn: str) -> None:
        self._topic_arn = topic_arn
        self.parcels: dict[str, str] = {}
        server = HTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        running.callback(server.server_close)
        running.callback(server.shutdown)

    def hear(self, message: dict[str, Any]) -> str:
        """Do what a message asks for, and say what that was. Raises ValueError, LookupError, TypeError, OSError."""
        signature.verify(message)
        if message["TopicArn"] != self._topic_arn:
            raise ValueError(f"did not agree to hear from {message['TopicArn']}")
        if message["Type"] == "SubscriptionConfirmation":
            signature.visit(message["SubscribeURL"])
            return "confirmed the subscription"
        if message["Type"] == "UnsubscribeConfirmation":
            return "is not subscribed any more"
        order = Order.from_json(message["Message"])
        self.parcels[order.id] = f"{order.quantity} {order.item}"
        return f"{order.id}: a parcel with {self.parcels[order.id]}, signed by SNS"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        partner = self

        class PartnerApi(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    said, status = partner.hear(json.loads(body)), HTTPStatus.OK
                except (ValueError, LookupError, TypeError) as error:
                    said, status = f"refused: {error}", HTTPStatus.FORBIDDEN
                except OSError as error:
                    # SNS tries again.
                    said, status = f"cannot reach SNS: {error}", HTTPStatus.SERVICE_UNAVAILABLE
                print(f"  {'partner':<10} {said}", flush=True)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Each message is printed above."""

        return PartnerApi


if __name__ == "__main__":
    with ExitStack() as alone:
        print(Partner(alone, sys.argv[1]).url, flush=True)
        sys.stdin.read()
