"""Address ranges in requests."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from cloudlet.services.ec2.errors import InvalidValue


def parse_network(text: str, member: str, *, is_strict: bool = False) -> IPv4Network:
    """Return a range of IPv4 addresses. Raises AwsError.

    Bits behind the prefix are set to zero, as AWS does, unless it is strict.
    """
    try:
        address, _, length = text.partition("/")
        if not length.isdecimal():
            raise ValueError(text)
        return IPv4Network(f"{address}/{length}", strict=is_strict)
    except ValueError:
        raise InvalidValue(member, text, "This is not a valid CIDR block.") from None


def parse_any_network(text: str, member: str) -> IPv4Network | IPv6Network:
    """Return a range of IPv4 or IPv6 addresses. Raises AwsError."""
    try:
        if "/" not in text:
            raise ValueError(text)
        return ip_network(text, strict=False)
    except ValueError:
        raise InvalidValue(member, text, "This is not a valid CIDR block.") from None


def find_overlap(network: IPv4Network, others: Iterable[str]) -> str | None:
    """Return a range that has addresses of another one, None where there is none."""
    return next((each for each in others if network.overlaps(IPv4Network(each))), None)
