"""HTTP as a browser or curl speaks it: no SDK, no signature but where only known keys are let in, any host."""

from __future__ import annotations

import http.client
import re
import secrets
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.testing.server import Aws
from tests.modes import MODE


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


class _Auth(S3SigV4Auth):
    """Signs what the request says of its body, and not the body itself."""

    def __init__(self, *given: Any, stated: str) -> None:
        super().__init__(*given)
        self._stated = stated

    def payload(self, request: Any) -> str:
        return self._stated


def sign(aws: Aws, method: str, target: str, headers: dict[str, str]) -> dict[str, str]:
    """Return the headers of a request with the signature of an account's root."""
    request = AWSRequest(method, f"{aws.endpoint}{target}", headers=dict(headers))
    stated = headers.get("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
    _Auth(Credentials(aws.account, "test"), "s3", aws.region, stated=stated).add_auth(request)
    return dict(request.headers.items())


def ask(
    server: Aws | str, method: str, target: str, body: bytes | str | None = None, host: str = "", **headers: str
) -> Answer:
    """Send a request to a server, or to an account: then it is signed where only known keys are let in.

    Underscores in names of headers stand for hyphens.
    """
    endpoint = server if isinstance(server, str) else server.endpoint
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if host:
            named["Host"] = host
        if MODE == "strict" and not isinstance(server, str):
            named = sign(server, method, target, named)
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
