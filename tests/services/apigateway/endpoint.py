"""An HTTP server that tells what it was asked, or answers what it is asked for."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have gone: some tests want that."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Endpoint:
    """A server; `paths` has answers to GET by path, as JSON. A query's `status` and `wait` (s) are obeyed."""

    def __init__(self) -> None:
        self.paths: dict[str, Any] = {}
        self.seen: list[dict[str, Any]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                endpoint.answer(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

            def log_message(self, *_: object) -> None:
                return

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query)
        asked = {
            "method": handler.command,
            "path": parts.path,
            "query": parts.query,
            "headers": {name.lower(): value for name, value in handler.headers.items()},
            "body": body.decode("utf-8", "replace"),
        }
        self.seen.append(asked)
        if "wait" in query:
            self.released.wait(30)
        answered = self.paths.get(parts.path, asked)
        content = json.dumps(answered).encode()
        handler.send_response(int(query.get("status", ["200"])[0]))
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(content)))
        handler.send_header("x-endpoint", "yes")
        handler.send_header("access-control-allow-origin", "https://backend.example")
        # The gateway may have given up.
        with suppress(BrokenPipeError):
            handler.end_headers()
            handler.wfile.write(content)


@contextmanager
def running() -> Iterator[Endpoint]:
    """Run a server until the end of the `with` block."""
    endpoint = Endpoint()
    thread = threading.Thread(target=endpoint.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.released.set()
        endpoint.server.shutdown()
        endpoint.server.server_close()
