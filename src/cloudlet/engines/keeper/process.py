"""The keeper's process: `python -m cloudlet.engines.keeper SOCKET OWNER`.

It listens on a Unix socket, which is only its user's, as long as the process OWNER, the Cloudlet that it belongs to,
runs. Of several that are started at once one stays.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from cloudlet.engines.containers import users
from cloudlet.engines.containers.container import Containers
from cloudlet.engines.containers.shelf import Shelf, enter_mount_namespace
from cloudlet.engines.envoy.socket_handover import SocketHandover
from cloudlet.engines.keeper.kept_containers import KeptContainers
from cloudlet.engines.keeper.networks import Networks
from cloudlet.engines.keeper.protocol import (
    NETWORKS_CHANGED,
    Answer,
    Connection,
    Event,
    Message,
    OpenFile,
    Request,
    open_folder,
)
from cloudlet.engines.network import nftables
from cloudlet.engines.network.namespaces import Namespaces, enter_user_namespace
from cloudlet.store.eager import spawn

log = logging.getLogger("cloudlet.engines")

_MAX_WAITING_CONNECTIONS: Final = 64
_END_SECONDS: Final = 30.0
_ACCEPT_PAUSE_SECONDS: Final = 0.1
Function = Callable[..., Awaitable[Any]]
wall_time: Final = time.time  # noqa: TID251 - what containers print has the machine's time


class Keeper:
    """Answers requests, and tells all that are connected of events."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._id = os.urandom(8).hex()
        self._networks = networks = Networks(namespaces)
        self._connections: set[Connection] = set()
        self._handovers: dict[str, SocketHandover] = {}
        shelf = Shelf() if users.have_ranges() else None
        containers = self._containers = KeptContainers(Containers(wall_time, shelf), networks, self.tell)
        self._functions: dict[str, Function] = {
            "describe": self._describe,
            "describe_network": self._describe_network,
            "describe_labels": self._describe_labels,
            "make_network": self._make_network,
            "remove_network": self._remove_network,
            "attach": self._attach,
            "detach": networks.detach,
            "set_parameters": networks.set_parameters,
            "set_further_addresses": networks.set_further_addresses,
            "set_peers": networks.set_peers,
            "filter": networks.filter,
            "open_way_out": networks.open_way_out,
            "close_way_out": networks.close_way_out,
            "listen": networks.listen,
            "open_socket": networks.open_socket,
            "set_endpoint": networks.set_endpoint,
            "remove_endpoint": networks.remove_endpoint,
            "take_datagrams": networks.take_datagrams,
            "find_endpoint_port": self._find_endpoint_port,
            "hand_over_sockets": self._hand_over_sockets,
            "end_connections": networks.end_connections,
            "forget_flows": networks.forget_flows,
            "open_namespace": networks.open_namespace,
            "run": containers.run,
            "signal": containers.send_signal,
            "kill": containers.kill,
            "forget": containers.forget,
            "measure": containers.measure,
            "execute": containers.execute,
            "open_terminal": containers.open_terminal,
        }

    async def _describe(self) -> dict[str, Any]:
        """Return what the keeper holds, and which one it is."""
        return {
            "id": self._id,
            "pid": os.getpid(),
            "networks": self._networks.describe(),
            "containers": self._containers.describe(),
            "out_of_memory": self._containers.list_out_of_memory(),
        }

    async def _describe_network(self, network: str) -> dict[str, Any]:
        """Return the interfaces of a network, if it is there, and which keeper this is."""
        return {"id": self._id, "interfaces": self._networks.describe().get(network)}

    async def _describe_labels(self) -> dict[str, Any]:
        """Return the networks that have labels."""
        return self._networks.describe_labels()

    async def _make_network(self, network: str, addresses: str, label: str = "") -> bool:
        before = self._networks.describe_labels().get(network)
        is_new = await self._networks.make(network, addresses, label)
        if self._networks.describe_labels().get(network) != before:
            self.tell(NETWORKS_CHANGED, {"network": network})
        return is_new

    async def _remove_network(self, network: str) -> None:
        await self._networks.remove(network)
        self.tell(NETWORKS_CHANGED, {"network": network})

    async def _attach(self, **arguments: Any) -> bool:
        is_new = await self._networks.attach(**arguments)
        # A namespace that interfaces share ends with the last one, and comes back as another.
        self._containers.end_lost()
        return is_new

    async def _find_endpoint_port(self, address: str, port: int) -> int | None:
        """Return the machine's port for one of an endpoint, None where nothing listens."""
        return self._networks.endpoints.find_port(IPv4Address(address), port)

    async def _hand_over_sockets(self, folder: str) -> None:
        """Have an Envoy get sockets of the machine by a folder, from its start on."""
        known = self._handovers.get(folder)
        if known is None:
            known = self._handovers[folder] = SocketHandover(Path(folder), self._networks.endpoints.listen)
        known.prepare()

    async def open(self) -> None:
        """Remove what keepers have left that were killed."""
        await self._containers.open()

    def accept(self, end: socket.socket) -> None:
        """Answer the requests of a connection."""

        def receive(message: Message, descriptors: list[int]) -> None:
            for each in descriptors:
                os.close(each)
            if isinstance(message, Request):
                spawn(self._answer(connection, message))

        connection = Connection(end, receive, lambda: self._connections.discard(connection))
        self._connections.add(connection)

    async def _answer(self, connection: Connection, request: Request) -> None:
        function = self._functions.get(request.function)
        try:
            if function is None:
                raise LookupError(f"the keeper has no function {request.function}")
            result = await function(**request.arguments)
        except Exception as error:
            if not isinstance(error, OSError | LookupError | ValueError | nftables.NftablesError):
                log.exception("%s failed", request.function)
            connection.send(Answer(request.id, error=f"{type(error).__name__}: {error}"))
            return
        if isinstance(result, socket.socket | OpenFile):
            connection.send(Answer(request.id), [result])
            return
        try:
            connection.send(Answer(request.id, result))
        except ValueError as error:
            # A client would wait for an answer for ever.
            connection.send(Answer(request.id, error=f"{request.function}: {error}"))

    def tell(self, name: str, about: dict[str, Any]) -> None:
        """Tell all that are connected of an event."""
        for connection in list(self._connections):
            connection.send(Event(name, about))

    async def close(self) -> None:
        """Give up all that is held."""
        for connection in list(self._connections):
            connection.close()
        for handover in self._handovers.values():
            handover.close()
        await self._containers.close()
        await self._networks.close()


def main(path: Path, owner: int) -> None:
    """Keep until the owner ends. Return at once where another keeper has the socket."""
    try:
        _run(path, owner)
    except OSError as error:
        log.error("the keeper of programs and networks cannot run: %s", error)
        sys.exit(1)


def _run(path: Path, owner: int) -> None:
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    owned = os.pidfd_open(owner)
    # What a terminal sends is for the owner.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.geteuid() == 0:
        enter_mount_namespace()
    else:
        enter_user_namespace()
    nftables.start()
    asyncio.run(_keep(path, owned))


async def _keep(path: Path, owned: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(owned, ended.set)
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    namespaces = Namespaces()
    keeper = Keeper(namespaces)
    await keeper.open()
    with _listen(path) as listener:
        accepting = spawn(_accept(listener, keeper))
        await ended.wait()
        accepting.cancel()
    path.unlink(missing_ok=True)
    try:
        async with asyncio.timeout(_END_SECONDS):
            await keeper.close()
    except TimeoutError:
        log.error("the keeper of programs and networks leaves what it cannot end")
    namespaces.close()
    # A thread that hangs is no reason to stay: what runs here ends with this process.
    os._exit(0)


def _listen(path: Path) -> socket.socket:
    """Return a socket for this user alone, in the place of a former keeper's."""
    fresh = path.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o177)
    try:
        with open_folder(fresh) as short:
            made.bind(short)
    finally:
        os.umask(before)
    made.setblocking(False)
    made.listen(_MAX_WAITING_CONNECTIONS)
    fresh.rename(path)
    return made


async def _accept(listener: socket.socket, keeper: Keeper) -> None:
    with suppress(asyncio.CancelledError):
        while True:
            try:
                end, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as error:
                log.warning("the keeper cannot take a connection yet: %s", error)
                await asyncio.sleep(_ACCEPT_PAUSE_SECONDS)
                continue
            keeper.accept(end)
