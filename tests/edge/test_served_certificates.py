"""Clients that speak TLS are shown the certificates of custom domain names, by the names that they ask for."""

from __future__ import annotations

import http.client
import secrets
import socket
import ssl
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from cloudlet.edge.server_name import read_server_name
from cloudlet.testing.server import Server, fresh_account
from tests.certificates import Pair, make_pair, request_validated
from tests.standing import eventually
from tests.trusting import TrustingAws


@dataclass(frozen=True)
class Secure:
    """A Cloudlet that listens with TLS."""

    server: Server
    data: Path

    @property
    def own(self) -> str:
        """The authority of the front door's own certificate."""
        return (self.data / "tls" / "ca.pem").read_text()

    @property
    def root(self) -> str:
        """The authority of ACM."""
        context = ssl.create_default_context(cadata=self.own)
        url = f"https://127.0.0.1:{self.server.port}/_cloudlet/acm/root.pem"
        with urllib.request.urlopen(url, timeout=30, context=context) as answer:
            text: str = answer.read().decode()
        return text

    def account(self) -> TrustingAws:
        return TrustingAws(f"https://127.0.0.1:{self.server.port}", fresh_account(), data=self.data)

    def ask(self, host: str, authority: str, path: str = "/") -> tuple[int, x509.Certificate]:
        """Ask for a path of a host as a client that trusts one authority; return the status and its certificate."""
        context = ssl.create_default_context(cadata=authority)
        with (
            socket.create_connection(("127.0.0.1", int(self.server.port)), 30) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            shown = connection.getpeercert(binary_form=True)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            response = http.client.HTTPResponse(connection)
            response.begin()
            response.read()
        assert shown is not None
        return response.status, x509.load_der_x509_certificate(shown)


@pytest.fixture(scope="module", params=[(), ("--isolate",)], ids=["together", "isolated"])
def secure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    data = tmp_path_factory.mktemp("data")
    with Server.start("--data", str(data), "--tls", *request.param) as server:
        yield Secure(server, data)


@pytest.fixture
def zone() -> str:
    return f"z{secrets.token_hex(6)}.example"


def lead(aws: TrustingAws, name: str, arn: str) -> None:
    """Have a domain name lead to an API that has no routes."""
    gateway: Any = aws.client("apigatewayv2")
    gateway.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": arn}])
    api = gateway.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    gateway.create_api_mapping(DomainName=name, ApiId=api, Stage="$default")


def test_a_domain_has_a_certificate_under_the_root_of_acm(secure: Secure, zone: str) -> None:
    aws = secure.account()
    acm: Any = aws.client("acm")
    name = f"api.{zone}"
    with pytest.raises(ssl.SSLCertVerificationError):
        secure.ask(name, secure.own)
    given = {"DomainName": name, "SubjectAlternativeNames": [f"*.{zone}"], "ValidationMethod": "DNS"}
    arn = request_validated(aws, **given)
    lead(aws, name, arn)
    status, certificate = secure.ask(name, secure.root)
    assert status == 404
    pem = acm.get_certificate(CertificateArn=arn)["Certificate"]
    assert certificate == x509.load_pem_x509_certificate(pem.encode())
    # Hosts that are no domains have the front door's.
    assert secure.ask("localhost", secure.own, "/_cloudlet/health")[0] == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        secure.ask(f"other.{zone}", secure.root)


def test_a_wildcard_is_served_for_its_zone(secure: Secure, zone: str) -> None:
    aws = secure.account()
    pair = make_pair(f"*.{zone}")
    lead(aws, f"*.{zone}", aws.client("acm").import_certificate(**pair.params())["CertificateArn"])
    for label in ("one", "two"):
        assert secure.ask(f"{label}.{zone}", pair.body.decode()) == (404, pair.certificate)


def test_what_replaces_a_certificate_is_served_from_the_next_connection_on(secure: Secure, zone: str) -> None:
    aws = secure.account()
    acm: Any = aws.client("acm")
    name = f"api.{zone}"
    first, second, third = (make_pair(name) for _ in range(3))
    arn = acm.import_certificate(**first.params())["CertificateArn"]
    lead(aws, name, arn)
    assert secure.ask(name, first.body.decode())[1] == first.certificate
    acm.import_certificate(**second.params(), CertificateArn=arn)
    assert secure.ask(name, second.body.decode())[1] == second.certificate
    other = acm.import_certificate(**third.params())["CertificateArn"]
    gateway: Any = aws.client("apigatewayv2")
    gateway.update_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": other}])
    assert secure.ask(name, third.body.decode())[1] == third.certificate
    gateway.delete_domain_name(DomainName=name)
    with pytest.raises(ssl.SSLCertVerificationError):
        secure.ask(name, third.body.decode())


def test_a_renewed_certificate_is_served(secure: Secure, zone: str) -> None:
    aws = secure.account()
    acm: Any = aws.client("acm")
    name = f"api.{zone}"
    given = {"DomainName": name, "ValidationMethod": "DNS", "Options": {"Export": "ENABLED"}}
    arn = request_validated(aws, **given)
    lead(aws, name, arn)
    root = secure.root
    _, before = secure.ask(name, root)
    acm.export_certificate(CertificateArn=arn, Passphrase=b"secret")
    acm.renew_certificate(CertificateArn=arn)
    _, after = secure.ask(name, root)
    assert before.serial_number != after.serial_number


def test_a_hello_in_pieces_is_understood(secure: Secure, zone: str) -> None:
    aws = secure.account()
    pair = make_pair(zone)
    lead(aws, zone, aws.client("acm").import_certificate(**pair.params())["CertificateArn"])
    context = ssl.create_default_context(cadata=pair.body.decode())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=zone)
    with socket.create_connection(("127.0.0.1", int(secure.server.port)), 30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def shake() -> bool:
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                return False
            return True

        assert not shake()
        hello = outgoing.read()
        for part in (hello[:3], hello[3:100], hello[100:]):
            connection.sendall(part)
            # The server is to see each piece by itself.
            time.sleep(0.05)
        while not shake():
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(65_536))
        connection.sendall(outgoing.read())
        shown = client.getpeercert(binary_form=True)
    assert shown is not None
    assert x509.load_der_x509_certificate(shown) == pair.certificate


def _greet(name: str | None) -> bytes:
    """Return the first bytes of a TLS client."""
    context = ssl.create_default_context()
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_the_name_is_read_from_the_first_bytes_of_a_client() -> None:
    hello = _greet("Api.Example.com")
    assert read_server_name(hello) == "api.example.com"
    assert read_server_name(hello + b"more") == "api.example.com"
    assert read_server_name(_greet(None)) == ""
    for length in range(0, len(hello), 50):
        assert read_server_name(hello[:length]) is None
    for wrong in (b"\x16\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\n\r\n", b"\x16" + bytes(5000)):
        assert read_server_name(wrong) == ""


def test_while_acm_is_down_the_last_certificate_is_served(tmp_path: Path) -> None:
    from tests.commands import cloudlet

    with Server.start("--data", str(tmp_path), "--tls", "--isolate") as server:
        secure = Secure(server, tmp_path)
        aws = secure.account()
        pair: Pair = make_pair("api.shop.example")
        arn = aws.client("acm").import_certificate(**pair.params())["CertificateArn"]
        lead(aws, "api.shop.example", arn)
        assert secure.ask("api.shop.example", pair.body.decode())[1] == pair.certificate
        assert cloudlet("block", "stop", "acm", "--port", server.port).returncode == 0
        assert secure.ask("api.shop.example", pair.body.decode())[1] == pair.certificate
        assert cloudlet("block", "start", "acm", "--port", server.port).returncode == 0
        eventually(lambda: secure.ask("api.shop.example", pair.body.decode())[0] == 404)
