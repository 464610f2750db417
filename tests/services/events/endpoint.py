"""An HTTP endpoint that tests send events to."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

_WAIT_SECONDS = 20
Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class Request(NamedTuple):
    """A request that came, its header names in lower case; `at` by time.monotonic()."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    at: float


class Endpoint:
    """A server that answers as a function says, and remembers what it was sent."""

    def __init__(self, url: str, requests: queue.Queue[Request]) -> None:
        self.url = url
        self._requests = requests
        self.answer: Callable[[Request], Answer] = lambda request: (200, {}, b"")

    def next(self) -> Request:
        """Return the next request, once it has come."""
        return self._requests.get(timeout=_WAIT_SECONDS)

    def is_quiet(self) -> bool:
        """Whether nothing came that was not looked at."""
        return self._requests.empty()


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """Run an endpoint until the end of the `with` block."""
    requests: queue.Queue[Request] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body, time.monotonic())
            requests.put(request)
            status, more, content = running.answer(request)
            self.send_response(status)
            for name, value in {**more, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Endpoint(f"http://127.0.0.1:{server.server_address[1]}", requests)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
