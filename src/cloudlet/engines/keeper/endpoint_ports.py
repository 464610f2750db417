"""Endpoints of the keeper's networks, and their ports on this machine."""

from __future__ import annotations

import errno
import logging
import socket
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from cloudlet.engines.network.endpoint_addresses import MACHINE
from cloudlet.engines.network.transparent_proxy import Goal, open_connection

log = logging.getLogger("cloudlet.engines")

MOVED_BY: Final = 8000
"""Ports below 1024 become this many more for an ordinary user."""
_MAX_TRIED_PORTS: Final = 20
_LAST_PORT: Final = 65535
_ANY_PORT: Final = 0
_MAX_WAITING_CONNECTIONS: Final = 1024


class Endpoint(NamedTuple):
    """An endpoint's network and its address in it."""

    network: str
    target: IPv4Address
    is_public: bool
    """Whether programs in other networks may reach it."""


class Endpoints:
    """Endpoints by their addresses, and the ports on which the machine listens for them."""

    def __init__(self) -> None:
        self._by_address: dict[IPv4Address, Endpoint] = {}
        self._ports: dict[tuple[IPv4Address, int, socket.SocketKind], int] = {}

    def set(self, address: IPv4Address, endpoint: Endpoint) -> bool:
        """Have an endpoint; return whether it is new, or another one than before."""
        is_new = self._by_address.get(address) != endpoint
        self._by_address[address] = endpoint
        return is_new

    def remove(self, address: IPv4Address) -> Endpoint | None:
        """Remove an endpoint, and return it if it was there."""
        self._ports = {key: port for key, port in self._ports.items() if key[0] != address}
        return self._by_address.pop(address, None)

    def get(self, address: IPv4Address) -> Endpoint:
        """Return an endpoint. Raises KeyError."""
        return self._by_address[address]

    def forget_network(self, network: str) -> None:
        """Remove the endpoints of a network."""
        for address in [each for each, endpoint in self._by_address.items() if endpoint.network == network]:
            self.remove(address)

    def list_inside(self, network: str) -> dict[IPv4Address, IPv4Address]:
        """Return the addresses that endpoints have in their own network."""
        return {each: found.target for each, found in self._by_address.items() if found.network == network}

    def listen(self, address: IPv4Address, port: int, kind: socket.SocketKind) -> socket.socket | None:
        """Return a socket of the machine for an endpoint, None where it is not known. Raises OSError.

        Where its port cannot be had, it is at the next one that is free.
        """
        if address not in self._by_address:
            return None
        try:
            made = _bind(str(address), port, kind)
        except PermissionError:
            made = _bind_near(str(address), port + MOVED_BY, kind)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            made = _bind_near(str(address), port + 1, kind)
        self._ports[address, port, kind] = real = made.getsockname()[1]
        if real not in (port, port + MOVED_BY):
            log.warning("port %s of the endpoint %s is %s on this machine: others are in use", port, address, real)
        return made

    def find_port(self, address: IPv4Address, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> int | None:
        """Return the machine's port for one of an endpoint, None where nothing listens."""
        return self._ports.get((address, port, kind))

    async def connect(self, goal: Goal, *, may_reach_machine: bool) -> socket.socket | None:
        """Connect a program in a network to an endpoint of another one."""
        if goal.address == MACHINE:
            return await open_connection("127.0.0.1", goal.port) if may_reach_machine else None
        found = self._by_address.get(goal.address)
        if found is None or not found.is_public:
            return None
        return await open_connection(str(goal.address), self.find_port(goal.address, goal.port) or goal.port)


def _bind_near(address: str, first: int, kind: socket.SocketKind) -> socket.socket:
    """Return a socket at the first port that is free from one on. Raises OSError."""
    for port in range(first, min(first + _MAX_TRIED_PORTS, _LAST_PORT + 1)):
        try:
            return _bind(address, port, kind)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    return _bind(address, _ANY_PORT, kind)


def _bind(address: str, port: int, kind: socket.SocketKind) -> socket.socket:
    made = socket.socket(socket.AF_INET, kind)
    try:
        made.setblocking(False)
        if kind is socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        if kind is socket.SOCK_STREAM:
            made.listen(_MAX_WAITING_CONNECTIONS)
    except OSError:
        made.close()
        raise
    return made
