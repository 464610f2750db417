"""HTTP as a browser or curl speaks it: no SDK, no signature, any host."""

from __future__ import annotations

import http.client
import re
import secrets
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    """What came back; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of the error that the body is, "" where it is none."""
        found = re.search(rb"<Code>(\w+)</Code>", self.body)
        return "" if found is None else found[1].decode()


def ask(
    endpoint: str, method: str, target: str, body: bytes | str | None = None, host: str = "", **headers: str
) -> Answer:
    """Send a request to the server at `endpoint`; underscores in names of headers stand for hyphens."""
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if host:
            named["Host"] = host
        connection.request(method, target, body, named)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read() or b"")
    finally:
        connection.close()


def fetch(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """Send a request to a URL."""
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return ask(f"{parts.scheme}://{parts.netloc}", method, target, body, **headers)


def form(fields: dict[str, str], file: bytes, filename: str = "file.txt") -> tuple[bytes, str]:
    """Return a form with a file, and its content type."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
    parts.append(f"{head}Content-Type: text/plain\r\n\r\n".encode() + file + b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"
