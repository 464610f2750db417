"""AWS's own names that aliases may target: those of endpoints that Cloudlet answers for.

All of them are served at Cloudlet's endpoint, which tells applications apart by their host names.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

TTL_SECONDS: Final = 60
"""The time to live of an endpoint's address.

Developer Guide, "Choosing between alias and non-alias records".
"""
_ENDPOINT: Final = re.compile(
    r"(?:[a-z0-9-]+\.execute-api\.[a-z0-9-]+\.amazonaws\.com"
    r"|(?:[a-z0-9.-]+\.)?s3-website[.-][a-z0-9-]+\.amazonaws\.com)\.",
)


def is_endpoint(name: str) -> bool:
    """Whether a name is that of an endpoint that Cloudlet answers for."""
    return _ENDPOINT.fullmatch(name) is not None


def get_addresses(endpoint: str) -> list[IPv4Address | IPv6Address]:
    """Return the addresses of Cloudlet's endpoint, as far as its URL tells them."""
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return [IPv4Address("127.0.0.1"), IPv6Address("::1")]
    try:
        return [ip_address(host)]
    except ValueError:
        return []
