"""The label of a VPC's network in the keeper.

It has all that is to be known for answering queries for names in it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple


class NetworkLabel(NamedTuple):
    """A VPC's account and Region, and which of its addresses have names."""

    account: str = ""
    region: str = ""
    named: tuple[IPv4Network, ...] = ()
    """Ranges of addresses with names; none where the VPC has no DNS hostnames."""

    def format(self) -> str:
        """Return the label as the keeper has it."""
        return " ".join((self.account, self.region, *map(str, self.named)))

    def is_named(self, address: IPv4Address) -> bool:
        """Whether an address has a name."""
        return any(address in each for each in self.named)


def parse_network_label(text: str) -> NetworkLabel:
    """Return a label. Raises ValueError."""
    account, region, *ranges = text.split(" ")
    return NetworkLabel(account, region, tuple(map(IPv4Network, ranges)))
