"""The origins of requests that browsers make."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def is_foreign(origin: str) -> bool:
    """Whether a page of an origin (RFC 6454) is not this machine's own."""
    try:
        return not is_loopback_name(urlsplit(origin).hostname or "")
    except ValueError:
        return True


def is_loopback_name(host: str) -> bool:
    """Whether a name can lead to this machine only (W3C, "Secure Contexts", 3.1)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_from_browser(headers: Mapping[str, str]) -> bool:
    """Whether a browser asks. Pages cannot keep it from sending what tells, though they may change that."""
    return (
        "origin" in headers
        or "sec-fetch-site" in headers
        or "accept-language" in headers
        or headers.get("user-agent", "").startswith("Mozilla/")
    )


def is_possible_csrf(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser may have sent a request for a page of another site, without being asked whether it may.

    It sends a GET for an image of any page, and not all browsers say which page a form is of. Before it sends an
    Authorization header it asks, by OPTIONS.
    """
    if method == "OPTIONS" or "authorization" in headers or not is_from_browser(headers):
        return False
    if method in ("GET", "HEAD"):
        return True
    origin = headers.get("origin")
    if origin is not None:
        return is_foreign(origin)
    return headers.get("sec-fetch-site") not in ("same-origin", "same-site", "none")
