"""OpenID Connect providers of the tests' own, on this machine."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
CLIENT = "client-of-the-test"


class Issuer:
    """Publishes its keys, and signs tokens."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, tuple[str, Any]] = {}
        """Algorithms and private keys by their ids."""
        self.documents: dict[str, Any] = {}
        """Answers in place of its own documents, by paths: objects, bytes, or numbers of a status."""
        self.requests: list[str] = []
        self.add_key("first", "RS256")

    @property
    def name(self) -> str:
        """Its URL, as ARNs and condition keys have it."""
        return self.url.partition("://")[2]

    def add_key(self, id: str, algorithm: str) -> None:
        if algorithm.startswith("RS"):
            self.keys[id] = algorithm, rsa.generate_private_key(65537, 2048)
        else:
            self.keys[id] = algorithm, ec.generate_private_key(_CURVES[algorithm])

    def token(self, key_id: str = "first", *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a signed token; a claim that is None is left out."""
        now = int(time.time())
        said = {"iss": self.url, "sub": "user-1234", "aud": CLIENT, "iat": now, "exp": now + 300, **claims}
        algorithm, key = self.keys[key_id]
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, key, algorithm, headers={"kid": key_id, **(headers or {})})

    def answer(self, path: str) -> Any:
        self.requests.append(path)
        if path in self.documents:
            return self.documents[path]
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return {"keys": [self._publish(id) for id in self.keys]} if path == "/keys" else 404

    def _publish(self, id: str) -> dict[str, Any]:
        algorithm, key = self.keys[id]
        kind = jwt.get_algorithm_by_name(algorithm)
        return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": id, "use": "sig", "alg": algorithm}


@contextmanager
def running_issuer(certificate: tuple[Path, Path] | None = None) -> Iterator[Issuer]:
    """Run a provider until the end of the `with` block; with TLS where it has a certificate and its key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = issuer.answer(self.path)
            status = found if isinstance(found, int) else 200
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        issuer = Issuer(f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield issuer
        finally:
            server.shutdown()
