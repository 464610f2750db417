"""The virtual networks that the keeper holds, by names that blocks give them."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from cloudlet.engines.keeper.endpoint_ports import Endpoint, Endpoints
from cloudlet.engines.keeper.protocol import OpenFile
from cloudlet.engines.network import (
    connections,
    datagram_egress,
    egress,
    endpoint_addresses,
    nftables,
    translated_flows,
)
from cloudlet.engines.network.datagram_egress import DatagramEgress
from cloudlet.engines.network.datagram_ingress import DatagramIngress
from cloudlet.engines.network.namespaces import Namespaces
from cloudlet.engines.network.peering import MAX_LINKS, LinkEnd, link
from cloudlet.engines.network.router import LINK_LOCAL_DNS, Interface, Router, set_parameters
from cloudlet.engines.network.transparent_proxy import Goal, TransparentProxy

log = logging.getLogger("cloudlet.engines")

_SHARED_HOST: Final = 3
"""The own address of a shared namespace: one that AWS reserves."""


class _Network:
    """A virtual network, its interfaces by name, and its ways out."""

    def __init__(self, router: Router, label: str) -> None:
        self.router = router
        self.label = label
        self.interfaces: dict[str, Interface] = {}
        self.shared: Interface | None = None
        """The namespace that several interfaces share, each by an address."""
        self.sharing: dict[str, IPv4Address] = {}
        """The addresses of the interfaces that share it."""
        self.way_out: TransparentProxy | None = None
        self.way_to_endpoints: TransparentProxy | None = None
        self.datagrams: DatagramEgress | None = None
        self.peers: dict[str, Set[IPv4Network]] = {}
        """The networks that it is to be linked with, and what is sent there."""
        self.links: dict[str, LinkEnd] = {}


async def _set_proxy_rules(router: Router, ranges: Sequence[IPv4Network]) -> None:
    """Set the rules that lead what leaves a network to its proxies. Raises NftablesError.

    Kernels without TPROXY lead connections alone.
    """
    try:
        rules = egress.write_rules(ranges, router.resolver, datagram_egress.PORT)
        await router.run(partial(nftables.run, rules))
    except nftables.NftablesError:
        await router.run(partial(nftables.run, egress.write_rules(ranges, router.resolver)))


async def _close_proxies(network: _Network) -> None:
    for each in (network.way_out, network.datagrams):
        if each is not None:
            await each.close()
    network.way_out = network.datagrams = None


class UnknownNetwork(LookupError):
    """A network or an interface that the keeper does not hold."""


class Networks:
    """Virtual networks by name.

    All functions may be called again: what is there already stays as it is.
    """

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self.endpoints = Endpoints()
        self._networks: dict[str, _Network] = {}
        self._numbers: dict[frozenset[str], int] = {}
        """The numbers of links by their two networks."""
        self._ingress: dict[tuple[IPv4Address, int], tuple[Endpoint, DatagramIngress]] = {}
        """The ways of datagrams to endpoints, by the addresses and ports of these."""
        self._changing = asyncio.Lock()

    def describe(self) -> dict[str, dict[str, str]]:
        """Return the addresses of interfaces by name, by network."""
        return {
            name: {
                **{interface: str(each.address) for interface, each in network.interfaces.items()},
                **{interface: str(address) for interface, address in network.sharing.items()},
            }
            for name, network in self._networks.items()
        }

    def describe_labels(self) -> dict[str, dict[str, Any]]:
        """Return the labels of networks that have one, and the addresses of their resolvers."""
        return {
            name: {"label": network.label, "resolvers": [str(network.router.resolver), str(LINK_LOCAL_DNS)]}
            for name, network in self._networks.items()
            if network.label
        }

    async def make(self, network: str, addresses: str, label: str = "") -> bool:
        """Make a network of addresses, such as 10.0.0.0/16. Return whether it is new. Raises OSError.

        `label` is what its maker wants others to know of it.
        """
        async with self._changing:
            known = self._networks.get(network)
            if known is not None:
                known.label = label
                return False
            router = Router(self.namespaces, IPv4Network(addresses))
            await router.open()
            made = _Network(router, label)
            if nftables.is_available():
                try:
                    await self._open_way_to_endpoints(made)
                except BaseException:
                    router.close()
                    raise
            self._networks[network] = made
            return True

    async def _open_way_to_endpoints(self, network: _Network) -> None:
        async def connect(goal: Goal) -> socket.socket | None:
            is_balancer = goal.source in network.sharing.values()
            return await self.endpoints.connect(goal, may_reach_machine=is_balancer)

        proxy = network.router.resolver
        network.way_to_endpoints = TransparentProxy(
            await network.router.listen(proxy, endpoint_addresses.PORT), connect
        )
        await network.router.run(partial(nftables.run, endpoint_addresses.write_rules({}, proxy)))

    async def set_endpoint(self, address: str, network: str, target: str, *, is_public: bool) -> None:
        """Have an address of this machine lead to one in a network. Raises UnknownNetwork and NftablesError.

        `is_public` says whether programs in other networks may go there.
        """
        async with self._changing:
            found = self._get(network)
            if self.endpoints.set(IPv4Address(address), Endpoint(network, IPv4Address(target), is_public)):
                await self._write_endpoints(network, found)

    async def take_datagrams(self, address: str, ports: Iterable[int]) -> None:
        """Have datagrams to some ports of an endpoint led there from this machine, no others.

        Raises KeyError where there is no such endpoint, and OSError.
        """
        async with self._changing:
            own = IPv4Address(address)
            endpoint = self.endpoints.get(own)
            wanted = set(ports)
            await self._end_ingress(lambda key, led: key[0] == own and (key[1] not in wanted or led != endpoint))
            router = self._get(endpoint.network).router
            for port in sorted(wanted):
                if (own, port) not in self._ingress:
                    made = self.endpoints.listen(own, port, socket.SOCK_DGRAM)
                    if made is not None:
                        open_inner = partial(router.open_socket, datagrams=True)
                        ingress = DatagramIngress(made, (str(endpoint.target), port), open_inner)
                        self._ingress[own, port] = endpoint, ingress

    async def _end_ingress(self, is_ended: Callable[[tuple[IPv4Address, int], Endpoint], bool]) -> None:
        for key, (endpoint, ingress) in list(self._ingress.items()):
            if is_ended(key, endpoint):
                del self._ingress[key]
                await ingress.close()

    async def remove_endpoint(self, address: str) -> None:
        """Have an address of this machine lead nowhere any more. Raises NftablesError."""
        async with self._changing:
            await self._end_ingress(lambda key, _: str(key[0]) == address)
            removed = self.endpoints.remove(IPv4Address(address))
            found = None if removed is None else self._networks.get(removed.network)
            if removed is not None and found is not None:
                await self._write_endpoints(removed.network, found)

    async def _write_endpoints(self, name: str, network: _Network) -> None:
        rules = endpoint_addresses.write_rules(self.endpoints.list_inside(name), network.router.resolver)
        await network.router.run(partial(nftables.run, rules))

    async def remove(self, network: str) -> None:
        """Remove a network. Programs in it reach nothing any more."""
        async with self._changing:
            found = self._networks.get(network)
            if found is not None:
                for peer in list(found.links):
                    await self._unlink(network, peer)
                del self._networks[network]
                self.endpoints.forget_network(network)
                await self._end_ingress(lambda _, endpoint: endpoint.network == network)
                if found.way_to_endpoints is not None:
                    await found.way_to_endpoints.close()
                await _close_proxies(found)
                found.router.close()

    async def attach(
        self, network: str, interface: str, address: str, subnet: str, mac: str = "", *, is_sharing: bool = False
    ) -> bool:
        """Make an interface with an address of a subnet. Return whether it is new. Raises OSError.

        All that are sharing are in one namespace, as load balancers are, which one proxy serves.
        """
        async with self._changing:
            found = self._get(network)
            if interface in found.interfaces or interface in found.sharing:
                return False
            if is_sharing:
                await self._share(found, {**found.sharing, interface: IPv4Address(address)})
                return True
            found.interfaces[interface] = await found.router.attach(IPv4Address(address), IPv4Network(subnet), mac)
            return True

    async def detach(self, network: str, interface: str) -> None:
        """Remove an interface. Raises OSError."""
        async with self._changing:
            found = self._get(network)
            known = found.interfaces.pop(interface, None)
            if known is not None:
                await found.router.detach(known)
            elif interface in found.sharing:
                await self._share(found, {name: each for name, each in found.sharing.items() if name != interface})

    async def _share(self, network: _Network, wanted: dict[str, IPv4Address]) -> None:
        """Have the shared namespace of a network have the addresses of some interfaces. Without any, it is removed."""
        if network.shared is None:
            addresses = network.router.network
            network.shared = await network.router.attach(addresses[_SHARED_HOST], addresses)
        await network.router.set_further_addresses(network.shared, set(wanted.values()))
        network.sharing = wanted
        if not wanted:
            removed, network.shared = network.shared, None
            await network.router.detach(removed)

    async def set_further_addresses(self, network: str, interface: str, addresses: Iterable[str]) -> None:
        """Have an interface have these addresses beside its own, and no others. Raises OSError."""
        async with self._changing:
            found = self._get(network)
            await found.router.set_further_addresses(
                self._get_interface(network, interface), set(map(IPv4Address, addresses))
            )

    async def set_peers(self, network: str, peers: Mapping[str, Iterable[str]]) -> None:
        """Have a network linked with others that are there, and send some networks to each.

        Raises OSError.
        """
        async with self._changing:
            found = self._get(network)
            found.peers = {name: frozenset(map(IPv4Network, ranges)) for name, ranges in peers.items()}
            for name in [each for each in found.links if each not in found.peers]:
                await self._unlink(network, name)
            # What is no longer sent to one peer may be sent to another.
            for name, end in found.links.items():
                await end.set_routes(end.routes & found.peers[name])
            for name in found.peers:
                if name in self._networks and name != network:
                    await self._link(network, name)

    async def _link(self, network: str, peer: str) -> None:
        one, other = self._get(network), self._get(peer)
        if peer not in one.links:
            number = next(each for each in range(MAX_LINKS) if each not in self._numbers.values())
            self._numbers[frozenset((network, peer))] = number
            one.links[peer], other.links[network] = await link(number, one.router, other.router)
            await other.links[network].set_routes(other.peers.get(network, frozenset()))
        await one.links[peer].set_routes(one.peers[peer])

    async def _unlink(self, network: str, peer: str) -> None:
        one, other = self._get(network), self._get(peer)
        await one.links[peer].remove()
        del one.links[peer], other.links[network], self._numbers[frozenset((network, peer))]

    async def filter(self, network: str, commands: str, interface: str = "") -> None:
        """Carry out commands for packet filters of a network, or of an interface.

        Raises UnknownNetwork and NftablesError.
        """
        namespace = self._get_interface(network, interface).namespace if interface else None
        await self._get(network).router.run(partial(nftables.run, commands), namespace)

    async def open_way_out(self, network: str, inside: Iterable[str] = ()) -> bool:
        """Let connections leave a network. Return whether they could not before. Raises OSError and NftablesError.

        `inside` are further ranges of addresses that belong to it; called again, the former ones give way to them.
        """
        async with self._changing:
            found = self._get(network)
            proxy = found.router.resolver
            listener = None if found.way_out is not None else await found.router.listen(proxy, egress.PORT)
            ranges = [found.router.network, *map(IPv4Network, inside)]
            try:
                await _set_proxy_rules(found.router, ranges)
                if found.datagrams is None:
                    datagrams = await found.router.run(datagram_egress.listen)
                    found.datagrams = DatagramEgress(datagrams, found.router.run)
            except BaseException:
                if listener is not None:
                    listener.close()
                raise
            if listener is None:
                return False
            found.way_out = TransparentProxy(listener, egress.connect)
            return True

    async def close_way_out(self, network: str) -> None:
        """Let no connection leave a network any more. Raises NftablesError."""
        async with self._changing:
            found = self._get(network)
            if found.way_out is not None:
                await found.router.run(partial(nftables.run, egress.write_removal()))
                await _close_proxies(found)

    async def listen(
        self, network: str, address: str, port: int, *, interface: str = "", datagrams: bool = False
    ) -> socket.socket:
        """Return a socket at an address of the router, or within an interface's namespace. Raises OSError."""
        namespace = self._find_namespace(network, interface)
        return await self._get(network).router.listen(IPv4Address(address), port, datagrams, namespace)

    async def open_socket(
        self, network: str, *, interface: str = "", datagrams: bool = False, is_shared: bool = False
    ) -> socket.socket:
        """Return a socket that is in the network, or within an interface's namespace. Raises OSError.

        `is_shared` asks for the namespace that load balancers share.
        """
        namespace = self.get_namespace(network, "") if is_shared else self._find_namespace(network, interface)
        return await self._get(network).router.open_socket(datagrams, namespace)

    async def end_connections(self, network: str, address: str, port: int, sources: Iterable[str]) -> int:
        """End the connections of the shared namespace from some addresses to a port. Return their number.

        Raises UnknownNetwork and OSError.
        """
        end = partial(connections.end, IPv4Address(address), port, frozenset(map(IPv4Address, sources)))
        try:
            return await self._get(network).router.run(end, self.get_namespace(network, ""))
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            log.warning("this kernel ends no connections (CONFIG_INET_DIAG_DESTROY): those to %s go on", address)
            return 0

    async def forget_flows(self, network: str, address: str, port: int) -> int:
        """Forget what the router leads to a port of a target. Return the number of flows.

        Raises UnknownNetwork.
        """
        router = self._get(network).router
        try:
            return await router.run(partial(translated_flows.forget, IPv4Address(address), port))
        except OSError as error:
            log.warning("this kernel forgets no flows (CONFIG_NF_CT_NETLINK): those to %s go on: %s", address, error)
            return 0

    async def open_namespace(self, network: str, interface: str) -> OpenFile:
        """Return the namespace of an interface, for programs that are not the keeper's. Raises UnknownNetwork."""
        return OpenFile(os.dup(self.get_namespace(network, interface)))

    def _find_namespace(self, network: str, interface: str) -> int | None:
        return self.get_namespace(network, interface) if interface else None

    async def set_parameters(self, network: str, interface: str, parameters: dict[str, str]) -> None:
        """Set kernel parameters of an interface's namespace, such as net.core.somaxconn. Raises OSError."""
        namespace = self.get_namespace(network, interface)
        await self._get(network).router.run(partial(set_parameters, parameters), namespace)

    def get_namespace(self, network: str, interface: str) -> int:
        """Return the descriptor of the namespace of an interface. Raises UnknownNetwork.

        Without a name it is the one that several share.
        """
        shared = None if interface else self._get(network).shared
        return (shared or self._get_interface(network, interface)).namespace

    def _get_interface(self, network: str, interface: str) -> Interface:
        found = self._get(network).interfaces.get(interface)
        if found is None:
            raise UnknownNetwork(f"the network {network} has no interface {interface}")
        return found

    def _get(self, network: str) -> _Network:
        found = self._networks.get(network)
        if found is None:
            raise UnknownNetwork(f"there is no network {network}")
        return found

    async def close(self) -> None:
        """Remove all networks."""
        for name in list(self._networks):
            await self.remove(name)
