"""Ports of the machine that lead to containers in a bridge network, by relays.

Developer guide, "Map Amazon ECS container ports to the EC2 instance network interface". They are opened again, the
same ones, by a block that was started again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from cloudlet.engines.keeper.client import KeeperError
from cloudlet.engines.network import relay
from cloudlet.engines.network.datagram_ingress import DatagramIngress, OpenInner
from cloudlet.services.ecs.running.failures import StartFailure
from cloudlet.services.ecs.running.runner import Runner
from cloudlet.services.ecs.task_record import Task

_ADDRESS: Final = "127.0.0.1"
_WAITING: Final = 128


async def open_ports(
    runner: Runner, task: Task, container: str, mappings: list[dict[str, Any]], network: str, address: str
) -> list[dict[str, Any]]:
    """Listen for a container; return its bindings. Raises TaskFailure for a port that is taken."""
    bindings = []
    for mapping in mappings:
        if mapping.get("containerPortRange"):
            raise StartFailure(container, "Cloudlet does not have ranges of ports of bridge networks.")
        port, wanted = mapping["containerPort"], mapping.get("hostPort") or 0
        protocol = mapping.get("protocol") or "tcp"
        name = _make_name(task, container, port, protocol)
        opened = runner.find_beside(name)
        if opened is None:
            try:
                listener = _listen(wanted, protocol)
            except OSError as error:
                text = f"driver failed programming external connectivity: Bind for {_ADDRESS}:{wanted} failed: {error}"
                raise StartFailure(container, text) from None
            wanted = listener.getsockname()[1]
            runner.go_beside(name, _forward(runner, listener, network, address, port, protocol))
        bindings.append({"bindIP": _ADDRESS, "containerPort": port, "hostPort": wanted, "protocol": protocol})
    return bindings


def reopen(runner: Runner, task: Task, network: str) -> None:
    """Listen again for the containers of a task that run."""
    for container in task.containers:
        for binding in container.bindings if container.address else ():
            name = _make_name(task, container.name, binding["containerPort"], binding["protocol"])
            if runner.find_beside(name) is None:
                with suppress(OSError):
                    listener = _listen(binding["hostPort"], binding["protocol"])
                    goal = container.address, binding["containerPort"], binding["protocol"]
                    work = _forward(runner, listener, network, *goal)
                    runner.go_beside(name, work)


def close(runner: Runner, task: Task) -> None:
    """Listen for a task no more."""
    for container in task.containers:
        for binding in container.bindings:
            runner.end_beside(_make_name(task, container.name, binding["containerPort"], binding["protocol"]))


def _make_name(task: Task, container: str, port: int, protocol: str) -> str:
    return f"port of {task.id}/{container}/{port}/{protocol}"


def _listen(port: int, protocol: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM)
    try:
        if protocol == "udp":
            made.bind((_ADDRESS, port))
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((_ADDRESS, port))
            made.listen(_WAITING)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def _forward(
    runner: Runner, listener: socket.socket, network: str, address: str, port: int, protocol: str
) -> Coroutine[Any, Any, None]:
    """Pass connections, or datagrams, on to a container."""
    is_udp = protocol == "udp"

    async def open_inside() -> socket.socket:
        try:
            return await runner.keeper.call_for_socket("open_socket", network=network, datagrams=is_udp)
        except KeeperError as error:
            raise OSError(f"the keeper opens no socket in the network {network}: {error}") from None

    async def connect(_: object) -> socket.socket:
        inside = await open_inside()
        try:
            await asyncio.get_running_loop().sock_connect(inside, (address, port))
        except BaseException:
            inside.close()
            raise
        return inside

    if is_udp:
        return _forward_datagrams(listener, (address, port), open_inside)
    return relay.forward(listener, connect)


async def _forward_datagrams(listener: socket.socket, target: tuple[str, int], open_inside: OpenInner) -> None:
    ingress = DatagramIngress(listener, target, open_inside)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await ingress.close()
