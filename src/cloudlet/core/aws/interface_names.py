"""Names that AWS gives network interfaces by their addresses.

VPC User Guide, "DNS attributes for your VPC".
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Final

_NAME: Final = re.compile(r"ip-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.(.+?)\.?")
_REVERSE: Final = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa\.?")


def get_private_domain(region: str) -> str:
    """Return the domain of all private names of a Region."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def make_private_name(region: str, address: object) -> str:
    """Return the private DNS name of an address."""
    return f"ip-{str(address).replace('.', '-')}.{get_private_domain(region)}"


def find_address(region: str, name: str) -> IPv4Address | None:
    """Return the address that a private DNS name stands for, or None."""
    found = _NAME.fullmatch(name)
    if found is None or found[5] != get_private_domain(region):
        return None
    return _make_address(found.groups()[:4])


def find_reverse(name: str) -> IPv4Address | None:
    """Return the address whose name is asked for by a name below in-addr.arpa."""
    found = _REVERSE.fullmatch(name)
    return None if found is None else _make_address(found.groups()[::-1])


def _make_address(numbers: tuple[str, ...]) -> IPv4Address | None:
    try:
        return IPv4Address(".".join(numbers))
    except ValueError:
        return None
