"""TLS of listeners and targets, by a real Envoy."""

from __future__ import annotations

import datetime
import http.client
import json
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import h2.connection
import h2.events
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from cloudlet.services.elbv2 import ssl_policies
from cloudlet.services.elbv2.proxy import connection_log
from cloudlet.services.elbv2.proxy.access_logging import CONNECTIONS
from cloudlet.services.elbv2.proxy.view import Listener, TrustStore
from tests.certificates import DAY, Pair, make_pair
from tests.services.elbv2.envoys import (
    LOGGED,
    Envoy,
    Web,
    answer,
    connect_securely,
    forward,
    make_certificate,
    make_context,
    make_group,
    make_secure_listener,
    make_view,
    wait_for,
)

_REFUSED = (ssl.SSLError, ConnectionError)
_CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)


ONE, TWO = (make_certificate(f"*.{name}.com", name=name) for name in ("one", "two"))


def _listen(*actions: dict[str, Any], **more: Any) -> Listener:
    return make_secure_listener(*actions, certificates=(ONE, TWO), **more)


def _apply(envoy: Envoy, listener: Listener, **more: Any) -> int:
    envoy.apply(make_view(listener, certificates=(ONE, TWO), **more))
    port: int = listener.description["Port"]
    return port


def _make_client_context(client: tuple[Path, Path] | None) -> ssl.SSLContext:
    context = make_context()
    if client is not None:
        context.load_cert_chain(*client)
    return context


def _connect(port: int, name: str = "www.one.com", context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    return connect_securely(port, name, context)


def _find_name(port: int, name: str) -> str:
    with _connect(port, name) as end:
        found = end.getpeercert(binary_form=True)
    assert found is not None
    return x509.load_der_x509_certificate(found).subject.rfc4514_string()


def test_the_certificate_is_chosen_by_name(envoy: Envoy) -> None:
    port = _apply(envoy, _listen(answer(200)))
    assert _find_name(port, "www.two.com") == "CN=*.two.com"
    assert _find_name(port, "www.one.com") == "CN=*.one.com"
    assert _find_name(port, "www.other.com") == "CN=*.one.com"


@pytest.mark.parametrize("policy", ssl_policies.POLICIES)
def test_envoy_takes_all_policies(envoy: Envoy, policy: str) -> None:
    port = _apply(envoy, _listen(answer(200), SslPolicy=policy))
    if "TLSv1.2" not in ssl_policies.POLICIES[policy].protocols:
        context = make_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            _connect(port, context=context)
    _connect(port).close()


@pytest.mark.parametrize(("is_modern", "protocol"), [("true", "h2"), ("false", "http/1.1")])
def test_clients_speak_http_2_where_they_may(envoy: Envoy, web: Web, is_modern: str, protocol: str) -> None:
    group = make_group("web", web)
    attributes = {
        "routing.http2.enabled": is_modern,
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "true",
    }
    port = _apply(envoy, _listen(forward(group)), groups=(group,), attributes=attributes)
    context = make_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with _connect(port, context=context) as end:
        assert end.selected_alpn_protocol() == protocol
        if protocol == "h2":
            seen = _ask_http_2(end)["headers"]
            assert (seen["host"], seen["x-forwarded-proto"]) == (f"x.example.com:{port}", "https")
    seen = _ask(port, None)
    assert seen["x-amzn-tls-version"] == "TLSv1.3"
    assert seen["x-amzn-tls-cipher-suite"] in ssl_policies.POLICIES["ELBSecurityPolicy-TLS13-1-2-2021-06"].ciphers


def _ask_http_2(end: ssl.SSLSocket) -> dict[str, Any]:
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    head = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "x.example.com")]
    connection.send_headers(1, head, end_stream=True)
    body, is_over = b"", False
    while not is_over:
        end.sendall(connection.data_to_send())
        for event in connection.receive_data(end.recv(65536)):
            body += event.data if isinstance(event, h2.events.DataReceived) else b""
            is_over = is_over or isinstance(event, h2.events.StreamEnded)
    found: dict[str, Any] = json.loads(body)
    return found


def test_targets_have_tls_whose_certificates_are_not_verified(envoy: Envoy, tmp_path: Path) -> None:
    pair = make_pair("target")
    paths = _write(tmp_path, pair)
    secure = Web("secure")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*paths)
    secure.server.socket = context.wrap_socket(secure.server.socket, server_side=True)
    group = make_group("web", secure, Protocol="HTTPS", HealthCheckProtocol="HTTPS", HealthCheckEnabled=True)
    port = _apply(envoy, _listen(forward(group)), groups=(group,))
    assert _ask(port, None)["x-forwarded-proto"] == "https"
    assert secure.asked
    secure.close()


def _write(folder: Path, pair: Pair) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(pair.body)
    key.write_bytes(pair.private)
    return certificate, key


_AUTHORITY = make_pair(common="authority", is_authority=True)


def _revoke(*certificates: x509.Certificate) -> str:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(_AUTHORITY.certificate.subject)
    builder = builder.last_update(now - DAY).next_update(now + DAY)
    for each in certificates:
        revoked = x509.RevokedCertificateBuilder().serial_number(each.serial_number).revocation_date(now - DAY)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(_AUTHORITY.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _verify(envoy: Envoy, web: Web, *revocations: str, mode: str = "verify", ignores: bool = False) -> int:
    group = make_group("web", web)
    store = TrustStore("arn:store", _AUTHORITY.body.decode(), revocations)
    mutual = {"Mode": mode, "TrustStoreArn": store.arn, "IgnoreClientCertificateExpiry": ignores}
    listener = _listen(forward(group), MutualAuthentication=mutual)
    return _apply(envoy, listener, groups=(group,), trust_stores=(store,))


def _ask(port: int, client: tuple[Path, Path] | None, **headers: str) -> dict[str, str]:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=_make_client_context(client))
    try:
        connection.request("GET", "/", headers={name.replace("_", "-"): value for name, value in headers.items()})
        found: dict[str, str] = json.loads(connection.getresponse().read())["headers"]
        return found
    finally:
        connection.close()


def test_certificates_of_clients_are_verified(envoy: Envoy, web: Web, tmp_path: Path) -> None:
    port = _verify(envoy, web)
    own = make_pair("client", signer=_AUTHORITY, usages=_CLIENT)
    seen = _ask(port, _write(tmp_path, own))
    assert seen["x-amzn-mtls-clientcert-subject"] == "CN=client"
    assert seen["x-amzn-mtls-clientcert-issuer"] == "CN=authority"
    assert int(seen["x-amzn-mtls-clientcert-serial-number"], 16) == own.certificate.serial_number
    assert unquote(seen["x-amzn-mtls-clientcert-leaf"]) == own.body.decode()
    begin = own.certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert seen["x-amzn-mtls-clientcert-validity"].startswith(f"NotBefore={begin};NotAfter=")
    for client in (None, _write(tmp_path, make_pair("stranger", usages=_CLIENT))):
        with pytest.raises(_REFUSED):
            _ask(port, client)


def test_logs_of_connections_have_certificates_of_clients(envoy: Envoy, web: Web, tmp_path: Path) -> None:
    group = make_group("web", web)
    store = TrustStore("arn:store", _AUTHORITY.body.decode())
    mutual = {"Mode": "verify", "TrustStoreArn": store.arn}
    listener = _listen(forward(group), MutualAuthentication=mutual)
    port = _apply(envoy, listener, groups=(group,), trust_stores=(store,), attributes=LOGGED)

    def read(pair: Pair) -> list[str]:
        envoy.logged.clear()
        with suppress(*_REFUSED):
            _ask(port, _write(tmp_path, pair))
        name = listener.arn + CONNECTIONS
        (entry,) = wait_for(lambda: [entry for known, entry in envoy.logged if known == name])
        return connection_log.format_line(listener, entry).split(" ")[6:-1]

    good = make_pair("client", signer=_AUTHORITY, usages=_CLIENT)
    handshake, *fields, status = read(good)
    assert 0 < float(handshake) < 5
    begin = good.certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert fields[0] == '"CN=client"'
    assert fields[1].startswith(f"NotBefore={begin};NotAfter=")
    assert (int(fields[2], 16), status) == (good.certificate.serial_number, "Success")
    former = datetime.datetime.now(datetime.UTC) - 10 * DAY
    for pair, code in (
        (make_pair("stranger", usages=_CLIENT), "ClientCertUntrusted"),
        (make_pair("old", signer=_AUTHORITY, usages=_CLIENT, begin=former, days=5), "ClientCertExpired"),
    ):
        handshake, *_, status = read(pair)
        assert (handshake, status) == ("-", f"Failed:{code}")


def test_revoked_certificates_of_clients_are_refused(envoy: Envoy, web: Web, tmp_path: Path) -> None:
    good, bad = (make_pair(name, signer=_AUTHORITY, usages=_CLIENT) for name in ("good", "bad"))
    port = _verify(envoy, web, _revoke(bad.certificate))
    assert _ask(port, _write(tmp_path, good))["x-amzn-mtls-clientcert-subject"] == "CN=good"
    with pytest.raises(_REFUSED):
        _ask(port, _write(tmp_path, bad))


def test_expired_certificates_of_clients_are_taken_if_that_is_set(envoy: Envoy, web: Web, tmp_path: Path) -> None:
    begin = datetime.datetime.now(datetime.UTC) - 10 * DAY
    client = _write(tmp_path, make_pair("old", signer=_AUTHORITY, usages=_CLIENT, begin=begin, days=5))
    with pytest.raises(_REFUSED):
        _ask(_verify(envoy, web), client)
    assert _ask(_verify(envoy, web, ignores=True), client)["x-amzn-mtls-clientcert-subject"] == "CN=old"


def test_certificates_of_clients_are_passed_through(envoy: Envoy, web: Web, tmp_path: Path) -> None:
    port = _verify(envoy, web, mode="passthrough")
    stranger = make_pair("stranger", usages=_CLIENT)
    assert unquote(_ask(port, _write(tmp_path, stranger))["x-amzn-mtls-clientcert"]) == stranger.body.decode()
    forged = {"X_Amzn_Mtls_Clientcert": "forged", "X_Amzn_Mtls_Clientcert_Subject": "CN=forged"}
    assert not [name for name in _ask(port, None, **forged) if name.startswith("x-amzn-mtls")]
