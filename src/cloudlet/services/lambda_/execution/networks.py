"""The networks of functions in VPCs: namespaces of network interfaces, which the keeper holds.

What runs for functions with the same interface shares its namespace. Cloudlet's endpoint is there where it is on the
machine, at loopback, and so are the Runtime API and the daemon of X-Ray.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from cloudlet.core import AwsError
from cloudlet.core.host.keeper_access import open_keeper
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.engines import sandbox
from cloudlet.engines.keeper.client import LOST, KeeperClient, KeeperError
from cloudlet.engines.network import boundaries, relay
from cloudlet.engines.network.namespaces import open_owner
from cloudlet.engines.network.router import LINK_LOCAL_DNS
from cloudlet.engines.sandbox import SandboxError
from cloudlet.services.lambda_.execution.subsegments import Subsegments
from cloudlet.services.lambda_.functions import interface_record
from cloudlet.services.lambda_.functions.function import Version
from cloudlet.services.lambda_.functions.interface_record import Connection, Interface
from cloudlet.store.eager import spawn

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block
    from cloudlet.engines.keeper.protocol import Event

_LOOPBACK: Final = "127.0.0.1"
_MISSING_LIBRARY: Final = "libnftables is not installed"
_WAIT_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.03


class Network:
    """The network of an interface, as long as somebody is in it."""

    def __init__(
        self,
        keeper: KeeperClient,
        interface: Interface,
        namespace: int,
        endpoint: str,
        on_closed: Callable[[Network], None],
    ) -> None:
        """`namespace` is the descriptor of the interface's namespace, `endpoint` is Cloudlet's own."""
        self.interface = interface.id
        self.is_lost = False
        """Whether nothing is reached from there any more."""
        self.daemon: str | None = None
        """The place from within which X-Ray is sent something, if there is one."""
        self._keeper = keeper
        self._on_closed = on_closed
        self._place = {"network": interface.vpc, "interface": interface.id}
        self._namespace = namespace
        self._owner = open_owner(namespace)
        parts = urlsplit(endpoint)
        self._outside = parts.hostname or _LOOPBACK, parts.port or (443 if parts.scheme == "https" else 80)
        self._has_name = not _is_address(self._outside[0])
        host = self._outside[0] if self._has_name else _LOOPBACK
        self.endpoint = f"{parts.scheme}://{host}:{self._outside[1]}"
        """By which Cloudlet is reached from within."""
        self._users = 0
        self._forwarding: asyncio.Task[None] | None = None
        self._datagrams: asyncio.DatagramTransport | None = None

    async def open(self, subsegments: Subsegments) -> None:
        """Answer there for Cloudlet's endpoint and for X-Ray, and for nobody from elsewhere. Raises KeeperError."""
        try:
            await self._keeper.call("filter", commands=boundaries.write_refusal(), **self._place)
        except KeeperError as error:
            # Without the library for filters EC2 has none either, and says so.
            if _MISSING_LIBRARY not in str(error):
                raise
        listener = await self.listen(self._outside[1])
        self._forwarding = spawn(relay.forward(listener, lambda _: relay.connect(*self._outside)))
        if subsegments.is_wanted:
            receiver = await self.listen(0, datagrams=True)
            self.daemon = f"{_LOOPBACK}:{receiver.getsockname()[1]}"
            self._datagrams = await subsegments.receive(receiver)

    @property
    def sandboxed(self) -> sandbox.Network:
        """The network as sandboxes take it. Raises SandboxError."""
        if self.is_lost:
            raise SandboxError("the network of the function is gone")
        hosts = (self._outside[0],) if self._has_name else ()
        return sandbox.Network(self._namespace, self._owner, str(LINK_LOCAL_DNS), hosts)

    async def listen(self, port: int = 0, *, datagrams: bool = False) -> socket.socket:
        """Return a socket at a port of loopback, or at any for 0. Raises KeeperError."""
        place: dict[str, Any] = {**self._place, "datagrams": datagrams}
        return await self._keeper.call_for_socket("listen", address=_LOOPBACK, port=port, **place)

    async def connect(self, host: str, port: int) -> socket.socket:
        """Return a connection to what listens there. Raises OSError."""
        try:
            made = await self._keeper.call_for_socket("open_socket", **self._place)
        except KeeperError as error:
            raise ConnectionError(str(error)) from None
        try:
            await asyncio.get_running_loop().sock_connect(made, (host, port))
        except BaseException:
            made.close()
            raise
        return made

    def enter(self) -> None:
        """Note that somebody more is there."""
        self._users += 1

    def leave(self) -> None:
        """Note that somebody is there no more. It is closed with the last one."""
        self._users -= 1
        if self._users == 0:
            self.close()

    def close(self) -> None:
        """Answer nothing there any more."""
        self.is_lost = True
        self._on_closed(self)
        if self._forwarding is not None:
            self._forwarding.cancel()
        if self._datagrams is not None:
            self._datagrams.close()
        os.close(self._namespace)
        if self._owner is not None:
            os.close(self._owner)


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        IPv4Address(host)
        return True
    return ":" in host


class Networks:
    """The networks in which functions of a block run."""

    def __init__(self, block: Block, subsegments: Subsegments, on_lost: Callable[[], None]) -> None:
        """`on_lost` is told when all of them are gone, since the keeper is."""
        self._block = block
        self._subsegments = subsegments
        self._on_lost = on_lost
        self._keeper = open_keeper(block, self._note_event)
        self._open: dict[str, Network] = {}
        """By interface."""
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def _note_event(self, event: Event) -> None:
        if event == LOST:
            for network in self._open.values():
                network.is_lost = True
            self._open.clear()
            self._on_lost()

    @asynccontextmanager
    async def hold(self, version: Version) -> AsyncIterator[Network | None]:
        """Have the network of one of a version's interfaces for a while. Raises AwsError.

        None is for a version in no VPC.
        """
        connections = interface_record.list_connections(version)
        if not connections:
            yield None
            return
        connection = connections[random_bytes(1)[0] % len(connections)]
        network = await self._enter(connection)
        try:
            yield network
        finally:
            network.leave()

    async def _enter(self, connection: Connection) -> Network:
        interface = await self._block.store.transact(lambda tx: interface_record.find(tx, connection))
        if interface is None:
            raise _make_error("the function has no network interface")
        async with self._opening.setdefault(interface.id, asyncio.Lock()):
            network = self._open.get(interface.id) or await self._wait(connection, interface)
            network.enter()
        return network

    async def _wait(self, connection: Connection, interface: Interface) -> Network:
        """Open a network once the keeper has it. Raises AwsError."""
        params = {"NetworkInterfaceIds": [interface.id]}
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while True:
                    with suppress(KeeperError):
                        return await self._make(interface)
                    # A keeper that has just begun hears of it by EC2, which may have to begin, too.
                    await self._block.call(
                        "ec2",
                        "DescribeNetworkInterfaces",
                        params,
                        account=connection.account,
                        region=connection.region,
                    )
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise _make_error("the network interface is not available") from None
        except AwsError as error:
            raise _make_error(error.message, error.code) from None

    async def _make(self, interface: Interface) -> Network:
        """Open a network. Raises KeeperError."""
        namespace = await self._keeper.call_for_descriptor(
            "open_namespace", network=interface.vpc, interface=interface.id
        )
        made = Network(self._keeper, interface, namespace, self._block.cloud.config.endpoint, self._forget)
        try:
            await made.open(self._subsegments)
        except BaseException:
            made.close()
            raise
        self._open[interface.id] = made
        return made

    def _forget(self, network: Network) -> None:
        if self._open.get(network.interface) is network:
            del self._open[network.interface]

    def is_used(self, interface: str) -> bool:
        """Whether somebody is in the network of an interface."""
        return interface in self._open

    def close(self) -> None:
        """End the connection to the keeper."""
        self._keeper.close()


def _make_error(message: str, code: str = "") -> AwsError:
    """Return the error of an invocation whose function has no network."""
    text = "Lambda received an unexpected Amazon EC2 client exception while setting up for the Lambda function"
    more = {"EC2ErrorCode": code} if code else {}
    return AwsError("EC2UnexpectedException", f"{text}: {message}", status=502, Type="Service", **more)
