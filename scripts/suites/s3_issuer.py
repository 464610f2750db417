"""An OpenID Connect provider for Ceph's tests of STS: `s3_issuer.py FILE`.

It writes its certificate's thumbprint and tokens into the configuration, says so, and publishes its keys until it is
ended. Ceph runs a Keycloak at http://localhost:8080; IAM takes providers at https alone.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import sys
import tempfile
import time
from configparser import ConfigParser
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_REALM = "demorealm"
_PATH = f"/auth/realms/{_REALM}"
_AUDIENCE, _CLIENT, _SUBJECT = "account", "ceph-client", "c3f9a1de-0000-4000-8000-000000000001"
_HOURS = timedelta(hours=12)


def _make_certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)  # noqa: TID251 - a program of its own
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - _HOURS).not_valid_after(now + _HOURS)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, SHA256())


def _sign(key: rsa.RSAPrivateKey, issuer: str, **more: Any) -> str:
    now = int(time.time())  # noqa: TID251 - a program of its own
    claims = {"iss": issuer, "sub": _SUBJECT, "aud": _AUDIENCE, "azp": _CLIENT, "iat": now, "exp": now + 36_000}
    return jwt.encode({**claims, **more}, key, "RS256", headers={"kid": "key"})


def run(configuration: Path) -> None:
    """Serve the provider's documents."""
    key = rsa.generate_private_key(65537, 2048)
    certificate = _make_certificate(key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            public = jwt.get_algorithm_by_name("RS256").to_jwk(key.public_key(), as_dict=True)
            found = {
                f"{_PATH}/.well-known/openid-configuration": {"issuer": issuer, "jwks_uri": f"{issuer}/keys"},
                f"{_PATH}/keys": {"keys": [{**public, "kid": "key", "use": "sig", "alg": "RS256"}]},
            }.get(self.path)
            body = json.dumps(found or {}).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("localhost", 0), Handler) as server, tempfile.NamedTemporaryFile() as pem:
        pem.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        pem.write(certificate.public_bytes(Encoding.PEM))
        pem.flush()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem.name)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        issuer = f"https://localhost:{server.server_port}{_PATH}"
        tags = {"principal_tags": {"Department": ["Engineering"]}, "transitive_tag_keys": ["Department"]}
        written = ConfigParser(interpolation=None)
        written.read(configuration)
        written["webidentity"] = {
            "issuer": issuer,
            "token": _sign(key, issuer),
            "user_token": _sign(key, issuer, **{"https://aws.amazon.com/tags": tags}),
            # IAM takes `azp` for the audience, where a token has it.
            "aud": _CLIENT,
            "sub": _SUBJECT,
            "azp": _CLIENT,
            "thumbprint": hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).hexdigest(),
            "kc_realm": _REALM,
        }
        with configuration.open("w") as file:
            written.write(file)
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    run(Path(sys.argv[1]))
