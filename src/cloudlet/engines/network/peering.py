"""Links between virtual networks, by which some addresses of one are reached from the other.

A link is a pair of interfaces, one in each router. What of the other network a router sends there is its own affair.
"""

from __future__ import annotations

from collections.abc import Set
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from cloudlet.engines.network import netlink
from cloudlet.engines.network.router import Router

_LINKS: Final = IPv4Network("169.254.0.0/17")
MAX_LINKS: Final = 1 << 13
_LINK_BITS: Final = 30


class LinkEnd:
    """The end of a link in one of its routers."""

    def __init__(self, router: Router, index: int, gateway: IPv4Address) -> None:
        self._router = router
        self._index = index
        self._gateway = gateway
        """The other end."""
        self.routes: Set[IPv4Network] = frozenset()
        """The networks that are sent to the other end."""

    async def set_routes(self, wanted: Set[IPv4Network]) -> None:
        """Send what is for these networks, and nothing else, to the other end. Raises OSError."""
        gone = [netlink.delete_route(each, self._index, self._gateway) for each in sorted(self.routes - wanted)]
        added = [netlink.add_route(each, self._index, self._gateway) for each in sorted(wanted - self.routes)]
        if gone or added:
            await self._router.run(partial(netlink.send, gone + added))
        self.routes = frozenset(wanted)

    async def remove(self) -> None:
        """Remove the link, the other end with it. Raises OSError."""
        await self._router.run(partial(netlink.send, [netlink.delete_link(self._index)]))


async def link(number: int, one: Router, other: Router) -> tuple[LinkEnd, LinkEnd]:
    """Link two networks; each link has a number of its own. Raises OSError."""
    addresses = list(_get_addresses(number))
    near, far = one.take_index(), other.take_index()
    pair = netlink.add_veth(f"p{near}", near, f"p{far}", other.namespace, far)
    await one.run(partial(netlink.send, [pair, *_configure(near, addresses[0])]))
    await other.run(partial(netlink.send, _configure(far, addresses[1])))
    return LinkEnd(one, near, addresses[1].ip), LinkEnd(other, far, addresses[0].ip)


def _get_addresses(number: int) -> tuple[IPv4Interface, IPv4Interface]:
    first = int(_LINKS.network_address) + (number << (32 - _LINK_BITS))
    return IPv4Interface((first + 1, _LINK_BITS)), IPv4Interface((first + 2, _LINK_BITS))


def _configure(index: int, address: IPv4Interface) -> list[netlink.Message]:
    return [netlink.set_up(index), netlink.add_address(index, address)]
