"""The whole server, killed while certificates are issued: each that was acknowledged is there, with its key."""

from __future__ import annotations

import threading
import urllib.request
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cloudlet.testing.server import Aws, Server
from tests.certificates import request_validated
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 3
_EACH = 5
"""In each round at least so many are issued before the server is killed."""


def _client(server: Server) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30)
    return Aws(server.endpoint, _ACCOUNT).client("acm", config=config)


def _request(server: Server, name: str, acknowledged: dict[str, str]) -> None:
    """Request certificates until the server is gone."""
    acm, domain = _client(server), f"{name}.example"
    request_validated(Aws(server.endpoint, _ACCOUNT), DomainName=domain)
    for _ in range(4 * _EACH):
        given = {"DomainName": domain, "ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1"}
        try:
            arn = acm.request_certificate(**given, Options={"Export": "ENABLED"})["CertificateArn"]
        except (BotoCoreError, ClientError):
            return
        acknowledged[arn] = domain


def _read_root(server: Server) -> bytes:
    with urllib.request.urlopen(f"{server.endpoint}/_cloudlet/acm/root.pem", timeout=30) as answer:
        content: bytes = answer.read()
    return content


def test_no_certificate_is_lost(tmp_path: Path) -> None:
    acknowledged: list[dict[str, str]] = [{}, {}]
    roots = set()
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            threads = [
                threading.Thread(target=_request, args=(server, f"t{turn}-{number}", found))
                for number, found in enumerate(acknowledged)
            ]
            for thread in threads:
                thread.start()
            wanted = (turn + 1) * _EACH
            eventually(lambda least=wanted: all(len(found) >= least for found in acknowledged))  # type: ignore[misc]
            roots.add(_read_root(server))
            server.kill()
            for thread in threads:
                thread.join()
    with Server.start("--data", str(tmp_path)) as server:
        acm = _client(server)
        roots.add(_read_root(server))
        assert len(roots) == 1
        for arn, domain in {**acknowledged[0], **acknowledged[1]}.items():
            eventually(
                lambda arn=arn: acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"],  # type: ignore[misc]
                lambda status: status == "ISSUED",
            )
            exported = acm.export_certificate(CertificateArn=arn, Passphrase=b"secret")
            certificate = x509.load_pem_x509_certificate(exported["Certificate"].encode())
            key = load_pem_private_key(exported["PrivateKey"].encode(), b"secret")
            assert certificate.public_key() == key.public_key()
            assert certificate.subject.rfc4514_string() == f"CN={domain}"
