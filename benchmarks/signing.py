"""Signature Version 4 for requests of AWS's JSON protocol to one server.

Two signers of the same requests. `Signer.headers` asks botocore, as every SDK does, and serves requests that
are signed once and sent many times. `Signer.request` does the same work with the canonical parts prepared, for
requests that differ each time, as a DeleteMessage does by its receipt handle; `consume.lua` does so from
`Signer.prepare`. `Signer.check` compares the two before anything is measured.
"""

import hashlib
import hmac
import time
from dataclasses import dataclass

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CONTENT_TYPE = "application/x-amz-json-1.0"
SIGNED_HEADERS = "content-type;host;x-amz-date;x-amz-target"

# Servers accept a signature for five minutes; a static request is signed again well before that.
STATIC_LIFETIME_SECONDS = 60.0


@dataclass(frozen=True)
class Key:
    """An access key of an account: 12 digits, key id, secret."""

    account: str
    key_id: str
    secret: str


@dataclass(frozen=True)
class Prepared:
    """What requests have before their body is known."""

    head: str
    """The request up to the signature; its length and the body follow."""
    canonical: str
    """The canonical request up to the hash of the body."""
    to_sign: str
    """What is signed, up to the hash of the canonical request."""
    key: bytes


class Signer:
    """Signs requests for `service` at `host` ("127.0.0.1:4566") with `key`."""

    def __init__(
        self,
        key: Key,
        host: str,
        service: str,
        target_prefix: str,
        region: str = "us-east-1",
        content_type: str = CONTENT_TYPE,
    ) -> None:
        self._key = key
        self._host = host
        self._service = service
        self._region = region
        self._target_prefix = target_prefix
        self._content_type = content_type
        self._second = -1
        self._amz_date = ""
        self._scope = ""
        self._signing_key = b""

    def headers(self, operation: str, body: bytes) -> dict[str, str]:
        """All headers of a POST of `body`, signed by botocore now."""
        request = AWSRequest(
            "POST",
            f"http://{self._host}/",
            data=body,
            headers={
                "Host": self._host,
                "Content-Type": self._content_type,
                "X-Amz-Target": f"{self._target_prefix}.{operation}",
            },
        )
        credentials = Credentials(self._key.key_id, self._key.secret)
        SigV4Auth(credentials, self._service, self._region).add_auth(request)
        return dict(request.headers.items())

    def request(self, operation: str, body: bytes) -> bytes:
        """The whole HTTP/1.1 request, signed now."""
        prepared = self.prepare(operation)
        canonical = prepared.canonical + hashlib.sha256(body).hexdigest()
        to_sign = prepared.to_sign + hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.digest(prepared.key, to_sign.encode(), "sha256").hex()
        return f"{prepared.head}{signature}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def prepare(self, operation: str) -> "Prepared":
        """What all requests for `operation` have that are signed now."""
        second = int(time.time())
        if second != self._second:
            self._turn_to(second)
        target = f"{self._target_prefix}.{operation}"
        return Prepared(
            head=f"POST / HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: {self._content_type}\r\n"
            f"X-Amz-Target: {target}\r\nX-Amz-Date: {self._amz_date}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={self._key.key_id}/{self._scope}, "
            f"SignedHeaders={SIGNED_HEADERS}, Signature=",
            canonical=f"POST\n/\n\ncontent-type:{self._content_type}\nhost:{self._host}\n"
            f"x-amz-date:{self._amz_date}\nx-amz-target:{target}\n\n{SIGNED_HEADERS}\n",
            to_sign=f"AWS4-HMAC-SHA256\n{self._amz_date}\n{self._scope}\n",
            key=self._signing_key,
        )

    def _turn_to(self, second: int) -> None:
        self._second = second
        moment = time.gmtime(second)
        self._amz_date = time.strftime("%Y%m%dT%H%M%SZ", moment)
        scope = f"{self._amz_date[:8]}/{self._region}/{self._service}/aws4_request"
        if scope != self._scope:
            self._scope = scope
            key = f"AWS4{self._key.secret}".encode()
            for part in scope.split("/"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._signing_key = key

    def check(self) -> None:
        """Raises AssertionError if the two signers ever disagree on a signature."""
        body = b'{"QueueUrl":"http://localhost/1/q"}'
        # They read the clock one after the other: where a second passed between, the dates differ, so again.
        for _ in range(3):
            expected = self.headers("DeleteMessage", body)
            ours = self.request("DeleteMessage", body).decode()
            if f"X-Amz-Date: {expected['X-Amz-Date']}\r\n" in ours:
                assert f"Authorization: {expected['Authorization']}\r\n" in ours, (expected, ours)
                return
        raise AssertionError("the clock ticked between the two signers three times")


class StaticRequest:
    """One request sent many times, signed anew every minute."""

    def __init__(self, signer: Signer, operation: str, body: bytes) -> None:
        self._signer = signer
        self._operation = operation
        self._body = body
        self._signed_at = float("-inf")
        self._signed = b""

    def bytes(self) -> bytes:
        """The request as it goes over the wire, with a signature no older than a minute."""
        now = time.monotonic()
        if now - self._signed_at > STATIC_LIFETIME_SECONDS:
            self._signed = self._signer.request(self._operation, self._body)
            self._signed_at = now
        return self._signed
