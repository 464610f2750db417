"""What a customer's browser does with the shop's public APIs: it orders over HTTP, and hears of the order live."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError

from customer import fetch, wish_of
from shop import trace
from shop.order import Order
from waiting import DEADLINE_SECONDS
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect


class Browser:
    """`door` is the URL of the public API; `token` says whose browser it is, None that nobody has signed in."""

    def __init__(self, door: str, token: str | None) -> None:
        self._door = door
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def may_order(self, order: Order) -> bool:
        """Order, and return whether that is allowed."""
        try:
            self.order(order)
        except HTTPError as refusal:
            with refusal:
                if refusal.code == HTTPStatus.UNAUTHORIZED:
                    return False
            raise
        return True

    def order(self, order: Order) -> dict[str, Any]:
        """Order, as the beginning of a trace; return the confirmation."""
        with trace.segment("browser", trace.begin(), order=order.id):
            return dict(self._send("PUT", f"/orders/{order.id}", wish_of(order)))

    def orders(self) -> list[dict[str, Any]]:
        """Return the orders of who has signed in, the oldest first."""
        return list(self._send("GET", "/orders", {}))

    def ticket(self) -> str:
        """Return a URL at which to hear what becomes of orders."""
        return str(self._send("POST", "/tickets", {})["url"])

    def _send(self, method: str, path: str, document: dict[str, Any]) -> Any:
        headers = self._headers | trace.headers()
        body = json.dumps(document).encode()
        return json.loads(fetch(urllib.request.Request(self._door + path, body, headers, method=method)))


@contextmanager
def listening(url: str) -> Iterator[ClientConnection]:
    """Hear what becomes of orders until the end of the `with` block."""
    with connect(url, open_timeout=DEADLINE_SECONDS) as socket:
        yield socket


def is_refused(url: str) -> bool:
    """Whether nobody may listen at a URL, such as one whose ticket was used."""
    try:
        with listening(url):
            return False
    except InvalidStatus as refusal:
        return refusal.response.status_code == HTTPStatus.FORBIDDEN


def states(socket: ClientConnection, order: Order) -> Iterator[list[str]]:
    """Yield what an order waits for, whenever that has changed, until it is complete."""
    while True:
        told = json.loads(socket.recv(timeout=DEADLINE_SECONDS))
        if told["order"] == order.id:
            yield told["waits_for"]
            if not told["waits_for"]:
                return
