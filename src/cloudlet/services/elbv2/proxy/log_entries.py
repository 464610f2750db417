"""Parts of Envoy's log entries in the words of AWS's logs."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, Final

from cryptography import x509

from cloudlet.services.elbv2.proxy.view import Listener, View

_VERSIONS: Final = {1: "TLSv1", 2: "TLSv1.1", 3: "TLSv1.2", 4: "TLSv1.3"}
VIA_TARGET: Final = "via_upstream"
"""Envoy's word for a response of a target."""
NOTHING: Final = "-"
MILLISECONDS: Final = 1000
MICROSECONDS: Final = 1_000_000


@cache
def _list_ciphers() -> Mapping[int, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return {cipher["id"] & 0xFFFF: cipher["name"] for cipher in context.get_ciphers()}


def find_cipher(common: Any) -> str:
    """Return the name of a connection's cipher as OpenSSL has it."""
    number = common.tls_properties.tls_cipher_suite.value
    return _list_ciphers().get(number, NOTHING) if number else NOTHING


def find_version(common: Any) -> str:
    """Return the version of TLS of a connection."""
    return _VERSIONS.get(common.tls_properties.tls_version, NOTHING)


def find_certificate(view: View, listener: Listener, common: Any) -> str:
    """Return the ARN of the certificate that a client got, by its subject."""
    subject = common.tls_properties.local_certificate_properties.subject
    for arn in listener.certificates:
        certificate = view.certificates.get(arn)
        if subject and certificate is not None and subject == _read_subject(certificate.chain):
            return arn
    return NOTHING


@lru_cache(maxsize=1024)
def _read_subject(chain: str) -> str:
    return x509.load_pem_x509_certificate(chain.encode()).subject.rfc4514_string()


def format_address(address: Any) -> str:
    """Return an address with its port."""
    place = address.socket_address
    return f"{place.address}:{place.port_value}" if place.address else NOTHING


def make_connection_id(common: Any) -> str:
    """Return an id that the requests of a connection share with it."""
    ends = (
        f"{format_address(common.downstream_direct_remote_address)} {format_address(common.downstream_local_address)}"
    )
    return f"TID_{sha256(ends.encode()).hexdigest()[:32]}"


def measure_seconds(duration: Any) -> float | None:
    """Return a duration in seconds; None where it was not measured."""
    seconds, nanos = duration.seconds, duration.nanos
    return seconds + nanos / 1e9 if seconds or nanos else None


def get_start(common: Any) -> float:
    """Return when a request or connection has begun."""
    return float(common.start_time.seconds + common.start_time.nanos / 1e9)


def get_end(common: Any) -> float:
    """Return when a request or connection has ended."""
    return get_start(common) + (
        measure_seconds(common.duration) or measure_seconds(common.time_to_last_downstream_tx_byte) or 0
    )


def format_time(seconds: float) -> str:
    """Return a time with its microseconds, as logs of AWS have it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
