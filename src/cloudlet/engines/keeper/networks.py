"""The virtual networks that the keeper holds, by names that blocks give them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from cloudlet.engines.keeper.protocol import OpenFile
from cloudlet.engines.network import egress, nftables
from cloudlet.engines.network.egress import Egress
from cloudlet.engines.network.namespaces import Namespaces
from cloudlet.engines.network.router import LINK_LOCAL_DNS, Interface, Router


class _Network:
    """A virtual network, its interfaces by name, and its way out."""

    def __init__(self, router: Router, label: str) -> None:
        self.router = router
        self.label = label
        self.interfaces: dict[str, Interface] = {}
        self.way_out: Egress | None = None


class UnknownNetwork(LookupError):
    """A network or an interface that the keeper does not hold."""


class Networks:
    """Virtual networks by name.

    All functions may be called again: what is there already stays as it is.
    """

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self._networks: dict[str, _Network] = {}
        self._changing = asyncio.Lock()

    def describe(self) -> dict[str, dict[str, str]]:
        """Return the addresses of interfaces by name, by network."""
        return {
            name: {interface: str(each.address) for interface, each in network.interfaces.items()}
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
            self._networks[network] = _Network(router, label)
            return True

    async def remove(self, network: str) -> None:
        """Remove a network. Programs in it reach nothing any more."""
        async with self._changing:
            found = self._networks.pop(network, None)
            if found is not None:
                if found.way_out is not None:
                    await found.way_out.close()
                found.router.close()

    async def attach(self, network: str, interface: str, address: str, subnet: str) -> bool:
        """Make an interface with an address of a subnet. Return whether it is new. Raises OSError."""
        async with self._changing:
            found = self._get(network)
            if interface in found.interfaces:
                return False
            found.interfaces[interface] = await found.router.attach(IPv4Address(address), IPv4Network(subnet))
            return True

    async def detach(self, network: str, interface: str) -> None:
        """Remove an interface. Raises OSError."""
        async with self._changing:
            found = self._get(network)
            known = found.interfaces.pop(interface, None)
            if known is not None:
                await found.router.detach(known)

    async def set_further_addresses(self, network: str, interface: str, addresses: Iterable[str]) -> None:
        """Have an interface have these addresses beside its own, and no others. Raises OSError."""
        async with self._changing:
            found = self._get(network)
            await found.router.set_further_addresses(
                self._get_interface(network, interface), set(map(IPv4Address, addresses))
            )

    async def filter(self, network: str, commands: str) -> None:
        """Carry out commands for the packet filters of a network. Raises NftablesError."""
        await self._get(network).router.run(partial(nftables.run, commands))

    async def open_way_out(self, network: str, inside: Iterable[str] = ()) -> bool:
        """Let connections leave a network. Return whether they could not before. Raises OSError and NftablesError.

        `inside` are further ranges of addresses that belong to it; called again, the former ones give way to them.
        """
        async with self._changing:
            found = self._get(network)
            proxy = found.router.resolver
            listener = None if found.way_out is not None else await found.router.listen(proxy, egress.PORT)
            rules = egress.write_rules([found.router.network, *map(IPv4Network, inside)], proxy)
            try:
                await found.router.run(partial(nftables.run, rules))
            except BaseException:
                if listener is not None:
                    listener.close()
                raise
            if listener is None:
                return False
            found.way_out = Egress(listener)
            return True

    async def close_way_out(self, network: str) -> None:
        """Let no connection leave a network any more. Raises NftablesError."""
        async with self._changing:
            found = self._get(network)
            if found.way_out is not None:
                await found.router.run(partial(nftables.run, egress.write_removal()))
                await found.way_out.close()
                found.way_out = None

    async def listen(
        self, network: str, address: str, port: int, *, interface: str = "", datagrams: bool = False
    ) -> socket.socket:
        """Return a socket at an address of the router, or within an interface's namespace. Raises OSError."""
        namespace = self._find_namespace(network, interface)
        return await self._get(network).router.listen(IPv4Address(address), port, datagrams, namespace)

    async def open_socket(self, network: str, *, interface: str = "", datagrams: bool = False) -> socket.socket:
        """Return a socket that is in the network, or within an interface's namespace. Raises OSError."""
        namespace = self._find_namespace(network, interface)
        return await self._get(network).router.open_socket(datagrams, namespace)

    async def open_namespace(self, network: str, interface: str) -> OpenFile:
        """Return the namespace of an interface, for programs that are not the keeper's. Raises UnknownNetwork."""
        return OpenFile(os.dup(self.get_namespace(network, interface)))

    def _find_namespace(self, network: str, interface: str) -> int | None:
        return self.get_namespace(network, interface) if interface else None

    def get_namespace(self, network: str, interface: str) -> int:
        """Return the descriptor of the namespace of an interface. Raises UnknownNetwork."""
        return self._get_interface(network, interface).namespace

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
