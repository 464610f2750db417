"""The identity provider of the demo's customers: it signs who they are, and publishes the key to check that with.

A shop on AWS has one at hand, Amazon Cognito or another that speaks OpenID Connect. This one believes everybody.
"""

from __future__ import annotations

import base64
import json
import time
from contextlib import ExitStack
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

_KEY_ID = "demo"
_DAY_SECONDS = 24 * 3600


class Issuer:
    """Answers at `url` until `running` ends it."""

    def __init__(self, running: ExitStack) -> None:
        self._key = generate_private_key(public_exponent=65537, key_size=2048)
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        running.callback(server.server_close)
        running.callback(server.shutdown)

    def token(self, customer: str, audience: str) -> str:
        """Return a JSON Web Token (RFC 7519) by which the audience may take somebody for this customer, for a day."""
        now = int(time.time())
        said = {"iss": self.url, "aud": audience, "sub": customer, "iat": now, "exp": now + _DAY_SECONDS}
        signed = f"{_encoded({'alg': 'RS256', 'typ': 'JWT', 'kid': _KEY_ID})}.{_encoded(said)}"
        return f"{signed}.{_base64(self._key.sign(signed.encode(), PKCS1v15(), SHA256()))}"

    def _documents(self) -> dict[str, Any]:
        """What is published, by path: OpenID Connect Discovery 1.0, and RFC 7517."""
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": _KEY_ID, "n": _number(numbers.n)}
        return {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [key | {"e": _number(numbers.e)}]},
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class IssuerApi(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = issuer._documents().get(self.path)
                body = json.dumps(document).encode()
                self.send_response(HTTPStatus.NOT_FOUND if document is None else HTTPStatus.OK)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody needs to know."""

        return IssuerApi


def _encoded(document: dict[str, Any]) -> str:
    return _base64(json.dumps(document).encode())


def _number(number: int) -> str:
    return _base64(number.to_bytes((number.bit_length() + 7) // 8))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
