"""Where the pages are from that browsers make requests for."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_foreign(origin: str) -> bool:
    """Whether a page of an origin (RFC 6454) is not this machine's own."""
    try:
        return not is_of_machine(urlsplit(origin).hostname or "")
    except ValueError:
        return True


def is_of_machine(host: str) -> bool:
    """Whether a name can lead to this machine only (W3C, "Secure Contexts", 3.1)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
