"""A virtual network: a namespace that routes between those of programs.

There is no bridge. Each program's namespace has one interface, whose other end is in the router, and the router has a
route to its address: so every packet between two programs passes the router's filters, whatever their subnets are.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final, TypeVar

from cloudlet.engines.network import netlink
from cloudlet.engines.network.namespaces import Namespaces

T = TypeVar("T")

_PARAMETER: Final = re.compile(r"net(\.[A-Za-z0-9_-]+)+")
_EVERYWHERE: Final = IPv4Network("0.0.0.0/0")
_ETH0: Final = 2
"""The index of a program's interface, the first that its namespace gives away after `lo`."""
_FIRST_INDEX: Final = 10
_PROXY_TABLE: Final = 100
PROXY_MARK: Final = 1
"""The mark of packets that are handed to a proxy in the router."""
_MAX_WAITING_CONNECTIONS: Final = 1024
_LAST_GROUP: Final = (1 << 31) - 1
"""The kernel takes none beyond it for pings."""
LINK_LOCAL_DNS: Final = IPv4Address("169.254.169.253")
METADATA: Final = IPv4Address("169.254.170.2")
"""The address of metadata and credentials (ECS developer guide, "Task metadata endpoint")."""


@dataclass(frozen=True, slots=True)
class Interface:
    """The network interface of a program: its address, and the namespace that it stands in."""

    address: IPv4Address
    namespace: int
    """A descriptor. The namespace lives as long as the descriptor is open, or a program is in it."""
    index: int
    """Of the other end, in the router."""


class Router:
    """A virtual network. Used from one event loop."""

    def __init__(self, namespaces: Namespaces, network: IPv4Network) -> None:
        """Make a network of addresses, such as 10.0.0.0/16; `open` sets it up."""
        self._namespaces = namespaces
        self.network = network
        self._namespace = -1
        self._indexes = iter(range(_FIRST_INDEX, 1 << 30))
        self._interfaces: dict[IPv4Address, Interface] = {}
        self._gateways: set[IPv4Address] = set()
        self._further: dict[IPv4Address, Set[IPv4Address]] = {}

    @property
    def resolver(self) -> IPv4Address:
        """The address of the resolver: the network's plus two (VPC user guide, "Amazon DNS server")."""
        return self.network.network_address + 2

    @property
    def namespace(self) -> int:
        """The descriptor of the router's own namespace."""
        return self._namespace

    def take_index(self) -> int:
        """Return an index for an interface of the router, which no other one has had."""
        return next(self._indexes)

    async def open(self) -> None:
        """Make the namespace. Raises OSError."""
        own = [self.resolver, LINK_LOCAL_DNS, METADATA]
        self._namespace = await asyncio.wrap_future(self._namespaces.make(partial(_prepare_router, self.network, own)))

    async def attach(self, address: IPv4Address, subnet: IPv4Network, mac: str = "") -> Interface:
        """Make a namespace with an interface that has an address of a subnet. Raises OSError."""
        gateway = subnet.network_address + 1
        index = self.take_index()
        namespace = await asyncio.wrap_future(self._namespaces.make(_prepare_program))
        try:
            await self.run(partial(self._connect, index, namespace, address, gateway, mac))
            # It is there from now on, whatever fails later.
            self._gateways.add(gateway)
            await self.run(partial(_configure, IPv4Interface(f"{address}/{subnet.prefixlen}"), gateway), namespace)
        except BaseException:
            os.close(namespace)
            raise
        interface = self._interfaces[address] = Interface(address, namespace, index)
        return interface

    def _connect(self, index: int, namespace: int, address: IPv4Address, gateway: IPv4Address, mac: str) -> None:
        pair = netlink.add_veth(f"v{index}", index, "eth0", namespace, peer_mac=mac)
        messages = [pair, netlink.set_up(index)]
        messages.append(netlink.add_route(IPv4Network(address), index))
        if gateway not in self._gateways:
            messages.append(netlink.add_address(netlink.LOOPBACK, IPv4Interface(gateway)))
        netlink.send(messages)

    async def set_further_addresses(self, interface: Interface, wanted: Set[IPv4Address]) -> None:
        """Have an interface have these addresses beside its own, and no others. Raises OSError."""
        had = self._further.get(interface.address, set())
        added, gone = sorted(wanted - had), sorted(had - wanted)
        if not added and not gone:
            return
        index = interface.index
        routes = [netlink.add_route(IPv4Network(each), index) for each in added]
        routes += [netlink.delete_route(IPv4Network(each), index) for each in gone]
        await self.run(partial(netlink.send, routes))
        addresses = [netlink.add_address(_ETH0, IPv4Interface(each), routes_prefix=False) for each in added]
        addresses += [netlink.delete_address(_ETH0, IPv4Interface(each)) for each in gone]
        await self.run(partial(netlink.send, addresses), interface.namespace)
        self._further[interface.address] = wanted

    async def detach(self, interface: Interface) -> None:
        """Remove an interface. What is in its namespace reaches nothing any more. Raises OSError."""
        del self._interfaces[interface.address]
        self._further.pop(interface.address, None)
        try:
            await self.run(partial(netlink.send, [netlink.delete_link(interface.index)]))
        finally:
            os.close(interface.namespace)

    async def listen(
        self, address: IPv4Address, port: int, datagrams: bool = False, namespace: int | None = None
    ) -> socket.socket:
        """Return a socket at an address of the router, or of another namespace. Raises OSError."""
        return await self.run(partial(_bind, address, port, datagrams=datagrams), namespace)

    async def open_socket(self, datagrams: bool = False, namespace: int | None = None) -> socket.socket:
        """Return a socket that is in the network, or in another namespace. Raises OSError."""
        kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
        return await self.run(partial(_make_socket, kind), namespace)

    async def run(self, function: Callable[[], T], namespace: int | None = None) -> T:
        """Run a function in the router's namespace, or in another one. Raises OSError, and what it raises."""
        entered = self._namespace if namespace is None else namespace
        return await asyncio.wrap_future(self._namespaces.run(entered, function))

    def close(self) -> None:
        """Give the namespaces up. They vanish with the last program in them."""
        for interface in self._interfaces.values():
            os.close(interface.namespace)
        self._interfaces.clear()
        if self._namespace >= 0:
            os.close(self._namespace)
            self._namespace = -1


def _prepare_router(network: IPv4Network, own: Iterable[IPv4Address]) -> None:
    """Set up the namespace of a router, which has some addresses of its own."""
    _set("ipv4/ip_forward", "1")
    # A program that takes another one's address as its own gets nothing through.
    _set("ipv4/conf/all/rp_filter", "1")
    _set("ipv4/conf/default/rp_filter", "1")
    # A program does not tell its hardware address to one that asks in the name of an endpoint.
    _set("ipv4/conf/all/arp_announce", "2")
    messages = [netlink.set_up(netlink.LOOPBACK), netlink.add_blackhole(network)]
    # What is handed to a proxy is for the router, whatever its address is.
    messages.append(netlink.add_local_route(_EVERYWHERE, netlink.LOOPBACK, _PROXY_TABLE))
    messages.append(netlink.add_mark_rule(PROXY_MARK, _PROXY_TABLE))
    netlink.send(messages + [netlink.add_address(netlink.LOOPBACK, IPv4Interface(each)) for each in own])


def _prepare_program() -> None:
    """Set up the namespace of a program, which may listen on any port.

    Of the addresses of loopback it lacks those of endpoints: what it sends there reaches the router.
    """
    _set("ipv4/ip_unprivileged_port_start", "0")
    # As in Docker's containers, `ping` needs no rights.
    _set("ipv4/ping_group_range", _find_groups())
    _set("ipv4/conf/all/route_localnet", "1")
    netlink.send(
        [
            netlink.set_up(netlink.LOOPBACK),
            netlink.delete_address(netlink.LOOPBACK, IPv4Interface("127.0.0.1/8")),
            netlink.add_address(netlink.LOOPBACK, IPv4Interface("127.0.0.1/10")),
            netlink.add_local_route(IPv4Network("127.128.0.0/9"), netlink.LOOPBACK),
        ]
    )


def _find_groups() -> str:
    """Return the first and the last group that there are in this process's user namespace."""
    with open("/proc/self/gid_map", encoding="ascii") as file:  # noqa: PTH123 - as for parameters
        first, _, count = map(int, file.readline().split())
    return f"{first} {min(first + count - 1, _LAST_GROUP)}"


def _configure(address: IPv4Interface, gateway: IPv4Address) -> None:
    netlink.send(
        [
            netlink.set_up(_ETH0),
            # All addresses of the subnet, too, are reached by the gateway.
            netlink.add_address(_ETH0, address, routes_prefix=False),
            netlink.add_route(IPv4Network(gateway), _ETH0),
            netlink.add_route(_EVERYWHERE, _ETH0, gateway),
        ]
    )


def _set(name: str, value: str) -> None:
    """Set a parameter of the namespace of this thread."""
    with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - the kernel takes one write
        file.write(value)


def set_parameters(parameters: Mapping[str, str]) -> None:
    """Set parameters of the namespace of this thread, by names such as net.core.somaxconn. Raises OSError."""
    for name, value in parameters.items():
        if _PARAMETER.fullmatch(name) is None:
            raise OSError(f"{name} is no parameter of networks")
        _set(name.removeprefix("net.").replace(".", "/"), value)


def _make_socket(kind: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, kind)
    made.setblocking(False)
    return made


def _bind(address: IPv4Address, port: int, *, datagrams: bool) -> socket.socket:
    made = _make_socket(socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(address), port))
        if not datagrams:
            made.listen(_MAX_WAITING_CONNECTIONS)
    except BaseException:
        made.close()
        raise
    return made
