"""The endpoint that tells containers of themselves, and gives them their role's credentials.

Developer guide, "Task metadata endpoint version 4" and "Amazon ECS task IAM role". In networks of Cloudlet's the
endpoint is where AWS has it, at 169.254.170.2, and beside it are Cloudlet's own endpoint and the management of App
Mesh's Envoys. A container in the machine's network asks at loopback, by paths that nobody else knows.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cloudlet.core.background.reconciler import Key
from cloudlet.core.host import authorities
from cloudlet.engines.containers.description import Mount
from cloudlet.engines.envoy.mesh_bootstrap import MANAGEMENT_PORT, MANAGEMENT_SOCKET
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.engines.network import relay
from cloudlet.engines.network.router import METADATA
from cloudlet.services.ecs.running import endpoint_answers, ports
from cloudlet.services.ecs.running.runner import Runner, find_network_name
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("cloudlet.ecs")

NAME: Final = "localhost.localstack.cloud"
"""A name of Cloudlet's endpoint, which its certificate has."""
_HTTP_PORT: Final = 80
_LOOPBACK: Final = "127.0.0.1"
_TRUST: Final = "/dev/.cloudlet/authorities.pem"
_TRUST_VARIABLES: Final = (
    "SSL_CERT_FILE",
    "AWS_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)


async def list_variables(runner: Runner, task: Task, container: str) -> dict[str, str]:
    """Return the variables that a container has of ECS."""
    index = next(number for number, each in enumerate(task.containers) if each.name == container)
    config = runner.block.cloud.config
    endpoint, told = config.endpoint, f"http://{METADATA}"
    is_apart = task.network_mode in ("awsvpc", "bridge")
    credentials = f"/v2/credentials/{task.credentials_id}"
    named = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": credentials}
    if is_apart:
        await open_network(runner, task)
        endpoint = _move_endpoint(endpoint)
    elif task.network_mode == "host":
        told = f"http://{_LOOPBACK}:{await _open_loopback(runner)}"
        named = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{told}{credentials}"}
    variables = {
        "AWS_DEFAULT_REGION": task.region,
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE" if task.is_on_fargate else "AWS_ECS_EC2",
        "AWS_REGION": task.region,
    }
    if task.network_mode == "none":
        return variables
    if config.authority is not None:
        variables |= dict.fromkeys(_TRUST_VARIABLES, _TRUST)
    path = f"{task.endpoint_id}-{index}"
    return {
        **variables,
        **(named if task.task_role else {}),
        "AWS_ENDPOINT_URL": endpoint,
        "ECS_AGENT_URI": f"{told}/api/{path}",
        "ECS_CONTAINER_METADATA_URI": f"{told}/v3/{path}",
        "ECS_CONTAINER_METADATA_URI_V4": f"{told}/v4/{path}",
    }


def list_mounts(runner: Runner) -> Iterator[Mount]:
    """Yield what has programs trust Cloudlet's own authority, where it has one. Waits for the disk."""
    own = runner.block.cloud.config.authority
    if own is not None:
        file: Path = runner.block.cloud.config.data / "work" / "ecs" / "authorities.pem"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(authorities.join_authorities(own, [authorities.find_machine_authorities()]))
            file.chmod(0o644)
        yield Mount(str(file), _TRUST, is_read_only=True)


def _move_endpoint(endpoint: str) -> str:
    """Return Cloudlet's endpoint as networks have it: the same port at metadata's address.

    With TLS it has a name of the certificate, which /etc/hosts leads there.
    """
    parts = urlsplit(endpoint)
    host = NAME if parts.scheme == "https" else str(METADATA)
    return f"{parts.scheme}://{host}:{_get_port(endpoint)}"


def _get_port(endpoint: str) -> int:
    parts = urlsplit(endpoint)
    return parts.port or (443 if parts.scheme == "https" else 80)


async def open_endpoints(runner: Runner, task: Task) -> None:
    """Have the endpoint of a task there again, after the block was started again."""
    runner.endpoints[task.endpoint_id] = task.key
    runner.endpoints[task.credentials_id] = task.key
    if all(each.started_at is None for each in task.containers):
        return
    if task.network_mode == "host":
        await _open_loopback(runner)
    elif task.network_mode in ("awsvpc", "bridge") and not task.has_stopped:
        await open_network(runner, task)
        if task.network_mode == "bridge":
            ports.reopen(runner, task, find_network_name(task))


def forget(runner: Runner, key: Key) -> None:
    """Tell nothing any more to the containers of a task."""
    for name in [name for name, known in runner.endpoints.items() if known == key]:
        del runner.endpoints[name]


async def open_network(runner: Runner, task: Task) -> None:
    """Answer at metadata's address in the network of a task."""
    network = find_network_name(task)
    name = f"metadata of {network}"
    async with runner.opening:
        runner.users.setdefault(network, set()).add(task.id)
        if runner.find_beside(name) is not None:
            return
        endpoint = runner.block.cloud.config.endpoint
        try:
            listener = await runner.keeper.call_for_socket(
                "listen", network=network, address=str(METADATA), port=_HTTP_PORT
            )
        except KeeperError as error:
            log.warning("the network %s has no metadata: %s", network, error)
            return
        runner.go_beside(name, _answer(runner, listener))
        if _get_port(endpoint) != _HTTP_PORT:
            await _relay(runner, "endpoint", network, _get_port(endpoint), lambda: _connect(endpoint))
        envoys = runner.block.cloud.config.data / MANAGEMENT_SOCKET
        await _relay(runner, "envoys", network, MANAGEMENT_PORT, lambda: relay.connect_at(envoys))


def leave_network(runner: Runner, task: Task) -> None:
    """Answer no more in the network of a task that was the last one there."""
    network = find_network_name(task)
    users = runner.users.get(network, set())
    users.discard(task.id)
    if not users:
        runner.users.pop(network, None)
        runner.end_listening(network)


async def _answer(runner: Runner, listener: socket.socket) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: endpoint_answers.serve(runner, reader, writer), sock=listener
    )
    async with server:
        await server.serve_forever()


async def _open_loopback(runner: Runner) -> int:
    """Answer at loopback; return the port, which stays the same for those who run."""
    async with runner.opening:
        if runner.loopback_port and runner.find_beside("metadata") is not None:
            return runner.loopback_port
        file = runner.block.cloud.config.data / "work" / "ecs" / "port"
        known = int(file.read_text()) if file.exists() else 0
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_LOOPBACK, known))
        except OSError:
            # Somebody else has it: those who run are not told any more.
            listener.bind((_LOOPBACK, 0))
        runner.loopback_port = int(listener.getsockname()[1])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(runner.loopback_port))
        runner.go_beside("metadata", _answer(runner, listener))
        return runner.loopback_port


async def _relay(
    runner: Runner, what: str, network: str, port: int, connect: Callable[[], Awaitable[socket.socket]]
) -> None:
    """Pass on the connections to a port of metadata's address in a network."""
    with suppress(KeeperError):
        listener = await runner.keeper.call_for_socket("listen", network=network, address=str(METADATA), port=port)
        runner.go_beside(f"{what} of {network}", relay.forward(listener, lambda _: connect()))


async def _connect(endpoint: str) -> socket.socket:
    return await relay.connect(urlsplit(endpoint).hostname or _LOOPBACK, _get_port(endpoint))
