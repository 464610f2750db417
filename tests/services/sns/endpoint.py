"""An HTTP endpoint that notes what it is sent, and answers as a test wants."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec

WAIT_SECONDS = 30.0


class Received(NamedTuple):
    """A request. `at` is in seconds of a monotonic clock."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def message(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body, type=dict[str, Any])

    @property
    def kind(self) -> str:
        return self.headers["x-amz-sns-message-type"]


class Endpoint:
    """A server on a port of its own."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answer: Callable[[Received], int] = lambda received: 200
        """Says with which status a request is answered; it may take its time."""
        self.challenges: list[str] = []
        """What is sent with the status 401, as `WWW-Authenticate`."""
        self.received: list[Received] = []
        self._changed = threading.Condition()
        self._connections: list[socket.socket] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{'http' if context is None else 'https'}://{self.address}/"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _handler(endpoint) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                endpoint._connections.append(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, body, time.monotonic())
                status = endpoint.answer(received)
                with endpoint._changed:
                    endpoint.received.append(received)
                    endpoint._changed.notify_all()
                self.send_response(status)
                for challenge in endpoint.challenges if status == 401 else ():
                    self.send_header("www-authenticate", challenge)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    def wait(self, count: int = 1, kind: str = "Notification", path: str | None = None) -> list[Received]:
        """Wait for so many requests of a kind, on a path or any; return all of them."""
        with self._changed:

            def found() -> list[Received]:
                return [each for each in self.received if each.kind == kind and path in (None, each.path)]

            self.wait_until(lambda: len(found()) >= count)
            return found()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds that requests change."""
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_SECONDS), self.received

    def close(self) -> None:
        """Stop listening, and end all connections."""
        self._server.shutdown()
        self._server.server_close()
        self.hang_up()

    def hang_up(self) -> None:
        """End all connections."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running(context: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    """Run an endpoint until the end of the `with` block."""
    endpoint = Endpoint(context)
    try:
        yield endpoint
    finally:
        endpoint.close()
