"""Protocols: which listeners, target groups and health checks have, and which go together."""

from __future__ import annotations

from typing import Final

from cloudlet.services.elbv2.errors import UnsupportedFeature

LISTENERS: Final = {"application": ("HTTP", "HTTPS"), "network": ("TCP", "TLS", "UDP", "TCP_UDP")}
"""The protocols of listeners, by the types of load balancers."""
GROUPS: Final = ("HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP")
VERSIONS: Final = ("HTTP1", "HTTP2", "GRPC")
HEALTH_CHECKS: Final = ("HTTP", "HTTPS", "TCP")
WEB: Final = ("HTTP", "HTTPS")
SECURE: Final = ("HTTPS", "TLS")
DEFAULT_PORTS: Final = {"HTTP": 80, "HTTPS": 443}
_UNSUPPORTED: Final = ("GENEVE", "QUIC", "TCP_QUIC")

FORWARDS_TO: Final = {
    "HTTP": ("HTTP", "HTTPS", ""),
    "HTTPS": ("HTTP", "HTTPS", ""),
    "TCP": ("TCP", "TCP_UDP"),
    "TLS": ("TCP", "TLS"),
    "UDP": ("UDP", "TCP_UDP"),
    "TCP_UDP": ("TCP_UDP",),
}
"""The protocols of target groups that a listener forwards to; functions have none."""


def check_supported(protocol: str | None) -> None:
    """Raise UnsupportedFeature for a protocol that AWS has and Cloudlet has not."""
    if protocol in _UNSUPPORTED:
        raise UnsupportedFeature(f"the protocol '{protocol}'")
