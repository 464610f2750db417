"""The S3 calls around a measurement, and the requests that are measured, signed by botocore."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.api import CallFailed
from benchmarks.signing import Key

REGION = "us-east-1"
_TIMEOUT_SECONDS = 60
_KEY = re.compile(r"<Key>([^<]*)</Key>")


class _BodyApart(S3SigV4Auth):
    """Signs all but the body, as SDKs do over HTTPS."""

    def _should_sha256_sign_payload(self, request: AWSRequest) -> bool:
        return False


class S3Api:
    """S3 at `host` ("127.0.0.1:4566"), by path-style addresses, called with `key`."""

    def __init__(self, host: str, key: Key) -> None:
        self.host = host
        self._key = key

    def headers(
        self, method: str, target: str, body: bytes = b"", *, unsigned: bool = False, key: Key | None = None
    ) -> dict[str, str]:
        """All headers of a request, signed now; `unsigned` leaves the body out of the signature."""
        request = AWSRequest(method, f"http://{self.host}{target}", data=body, headers={"Host": self.host})
        signer = key or self._key
        kind = _BodyApart if unsigned else S3SigV4Auth
        kind(Credentials(signer.key_id, signer.secret), "s3", REGION).add_auth(request)
        return dict(request.headers.items())

    def request(self, method: str, target: str, body: bytes = b"") -> bytes:
        """A whole request, signed now."""
        return head(method, target, self.headers(method, target, body), len(body)) + body

    def call(self, method: str, target: str, body: bytes = b"") -> bytes:
        """The body of one call's answer; CallFailed if it is not of success."""
        status, answer = self._send(method, target, body, self.headers(method, target, body))
        if not 200 <= status < 300:
            raise CallFailed(f"{method} {target}: {status} {answer[:300]!r}")
        return answer

    def create_bucket(self, name: str) -> None:
        """Creates a bucket."""
        self.call("PUT", f"/{name}")

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Writes an object."""
        self.call("PUT", address(bucket, key), body)

    def get(self, bucket: str, key: str) -> bytes:
        """The bytes of an object."""
        return self.call("GET", address(bucket, key))

    def keys(self, bucket: str) -> list[str]:
        """The keys of the first thousand objects."""
        return _KEY.findall(self.call("GET", f"/{bucket}?list-type=2").decode())

    def wait_until_up(self, timeout: float, alive: Callable[[], bool]) -> None:
        """Returns with the first ListBuckets that is answered; CallFailed after `timeout` seconds."""
        give_up = time.monotonic() + timeout
        while True:
            try:
                self.call("GET", "/")
            except (OSError, http.client.HTTPException, CallFailed) as error:
                if not alive():
                    raise CallFailed("the server ended by itself") from error
                if time.monotonic() > give_up:
                    raise CallFailed(f"no answer within {timeout:.0f} s: {error}") from error
                time.sleep(0.001)
            else:
                return

    def verifies_signatures(self) -> bool:
        """Whether a request signed with the wrong secret is refused."""
        forged = self.headers("GET", "/", key=replace(self._key, secret="wrong"))
        return self._send("GET", "/", b"", forged)[0] == 403

    def _send(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, target, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def address(bucket: str, key: str) -> str:
    """The target of requests about an object."""
    return f"/{bucket}/{quote(key)}"


def head(method: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
    """The head of a request."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if length or method == "PUT":
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
