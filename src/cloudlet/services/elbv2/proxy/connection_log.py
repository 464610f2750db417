"""Lines of logs of connections (user guides, "Connection log entries" and "Access log entries")."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from cloudlet.services.elbv2.proxy import access_log, access_logging, log_entries
from cloudlet.services.elbv2.proxy.log_entries import NOTHING
from cloudlet.services.elbv2.proxy.view import Listener, LoadBalancer, View

_FAILURES: Final = {
    "certificate revoked": "ClientCertCrlHit",
    "CRL": "ClientCertCrlProcessingError",
    "self signed certificate": "ClientCertUntrusted",
    "unable to get": "ClientCertUntrusted",
    "unable to verify": "ClientCertUntrusted",
    "not yet valid": "ClientCertNotYetValid",
    "has expired": "ClientCertExpired",
    "purpose": "ClientCertPurposeInvalid",
    "chain too long": "ClientCertMaxChainDepthExceeded",
    "CERTIFICATE_VERIFY_FAILED": "ClientCertInvalid",
}
"""AWS's codes for failures, by what Envoy says of them; the first one counts."""


def format_line(listener: Listener, entry: Any) -> str:
    """Return the line of a connection to an Application Load Balancer."""
    common = entry.common_properties
    client = common.downstream_direct_remote_address.socket_address
    peer = common.tls_properties.peer_certificate_properties
    failure = common.downstream_transport_failure_reason
    tags = dict(common.custom_tags)
    begin, end = (tags.get(name) for name in (access_logging.BEGIN, access_logging.END))
    handshake = _find_handshake(common)
    fields = [
        log_entries.format_time(log_entries.get_start(common)),
        client.address,
        str(client.port_value),
        str(listener.description["Port"]),
        log_entries.find_version(common),
        log_entries.find_cipher(common),
        NOTHING if failure or handshake is None else f"{handshake:.3f}",
        f'"{peer.subject or NOTHING}"',
        f"NotBefore={begin};NotAfter={end}" if begin and end else NOTHING,
        tags.get(access_logging.SERIAL_NUMBER, NOTHING).upper(),
        f"Failed:{_find_code(failure)}" if failure else "Success",
        log_entries.make_connection_id(common),
    ]
    return " ".join(fields)


def _find_code(failure: str) -> str:
    return next((code for text, code in _FAILURES.items() if text in failure), "UnmappedConnectionError")


def _find_handshake(common: Any) -> float | None:
    """Return the seconds until a connection was encrypted, None where it never was."""
    microseconds = dict(common.custom_tags).get(access_logging.HANDSHAKE, "")
    return int(microseconds) / log_entries.MICROSECONDS if microseconds.isdigit() else None


def format_network_line(view: View, load_balancer: LoadBalancer, listener: Listener, entry: Any) -> str:
    """Return the line of a TLS connection to a Network Load Balancer."""
    common = entry.common_properties
    sni = common.tls_properties.tls_sni_hostname
    fields = [
        "tls",
        "2.0",
        log_entries.format_time(log_entries.get_end(common)).partition(".")[0],
        access_log.get_resource_id(load_balancer.arn),
        listener.arn.rpartition("/")[2],
        log_entries.format_address(common.downstream_direct_remote_address),
        log_entries.format_address(common.downstream_local_address),
        str(round((log_entries.measure_seconds(common.duration) or 0) * log_entries.MILLISECONDS)),
        NOTHING,
        str(entry.connection_properties.received_bytes),
        str(entry.connection_properties.sent_bytes),
        NOTHING,
        log_entries.find_certificate(view, listener, common),
        NOTHING,
        log_entries.find_cipher(common),
        log_entries.find_version(common).lower().replace(".", ""),
        NOTHING,
        quote(sni) or NOTHING,
        NOTHING,
        NOTHING,
        NOTHING,
        log_entries.format_time(log_entries.get_start(common)).partition(".")[0],
    ]
    return " ".join(fields)
