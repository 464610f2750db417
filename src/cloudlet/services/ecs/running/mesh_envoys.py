"""Envoys of App Mesh among the containers of a task.

In the place of AWS's image, the machine's own Envoy runs.

App Mesh user guide, "Envoy image" and "Envoy configuration variables". Its configuration comes from App Mesh, by a
relay beside the task's metadata.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.engines.containers import users
from cloudlet.engines.containers.description import Container, Mount
from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.mesh_bootstrap import MANAGEMENT_PORT, BootstrapOptions, make_bootstrap
from cloudlet.engines.images import Config
from cloudlet.engines.network.router import METADATA
from cloudlet.engines.sandbox import privileges
from cloudlet.services.ecs.running.failures import CreateFailure, PullFailure
from cloudlet.services.ecs.running.pulling import LocalImage
from cloudlet.services.ecs.running.runner import Runner
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_LISTENERS: Final = b"listener_manager.total_listeners_active"
"""The number of listeners that work: none before an Envoy has its configuration."""
CODE_POINT: Final = 0b101011
"""The code point of an Envoy's own connections.

It tells them where the user cannot, and is for local use (RFC 2474).
"""
_PUBLISHERS: Final = (
    "422531588944",
    "772975370895",
    "840364872350",
    "856666278305",
    "919366029133",
    "919830735681",
    "924023996002",
)
"""AWS's accounts that publish the image, each in other regions."""
_IMAGE: Final = re.compile(
    rf"(public\.ecr\.aws/appmesh|({'|'.join(_PUBLISHERS)})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?)"
    r"/aws-appmesh-envoy([:@].+)?"
)
_PORTS: Final = {"XRAY_DAEMON_PORT": "2000", "STATSD_PORT": "8125"}
"""The variables for ports of daemons, with their defaults."""
_CONFIGURATION: Final = "/etc/envoy.json"
_FLUSH_MILLISECONDS: Final = "200"
"""Access logs are written so often; Envoy would wait for ten seconds."""
_MAX_ANSWER_BYTES: Final = 65_536
_LOOPBACK: Final = "127.0.0.1"


def is_envoy(described: Mapping[str, Any]) -> bool:
    """Whether a container has AWS's image of Envoy."""
    return _IMAGE.fullmatch(described["image"]) is not None


def provide_image(block: Block, described: Mapping[str, Any]) -> LocalImage:
    """Return what the container of an Envoy starts with: nothing. Waits for the disk. Raises PullFailure."""
    try:
        envoy = privileges.program(str(program.find()))
        root = block.cloud.config.data / "work" / "ecs" / "envoy"
        root.mkdir(parents=True, exist_ok=True)
    except (program.EnvoyMissingError, OSError) as error:
        raise PullFailure(described["name"], str(error)) from None
    options = ["-c", _CONFIGURATION, "--disable-hot-restart"]
    return LocalImage("", root, Config(entrypoint=[*envoy.command, *options]))


def complete(container: Container, block: Block, task: Task, name: str) -> Container:
    """Return the container of an Envoy with its program and its configuration. Raises TaskFailure."""
    given = container.environment
    resource = given.get("APPMESH_RESOURCE_ARN") or given.get("APPMESH_VIRTUAL_NODE_NAME")
    if not resource:
        raise CreateFailure(name, "APPMESH_RESOURCE_ARN is not set")
    if not resource.startswith("arn:"):
        resource = f"arn:aws:appmesh:{task.region}:{task.account}:{resource}"
    ports = {each: given.get(each) or default for each, default in _PORTS.items()}
    for each, port in ports.items():
        if not port.isdecimal():
            raise CreateFailure(name, f"{each}={port} is not a port")
    has_statistics = _is_enabled(given, "ENABLE_ENVOY_DOG_STATSD")
    statsd = f"{given.get('STATSD_ADDRESS') or _LOOPBACK}:{ports['STATSD_PORT']}"
    options = BootstrapOptions(
        admin=f"0.0.0.0:{get_admin_port(given)}",
        tracing=f"{_LOOPBACK}:{ports['XRAY_DAEMON_PORT']}" if _is_enabled(given, "ENABLE_ENVOY_XRAY_TRACING") else "",
        statsd=(given.get("STATSD_SOCKET_PATH") or statsd) if has_statistics else "",
        has_tags=_is_enabled(given, "ENABLE_ENVOY_STATS_TAGS"),
        sds_socket=given.get("APPMESH_SDS_SOCKET_PATH") or "",
        region=task.region if task.task_role and block.is_strict else "",
        code_point=0 if users.have_ranges() else CODE_POINT,
    )
    bootstrap = make_bootstrap(resource, f"{METADATA}:{MANAGEMENT_PORT}", options)
    envoy = privileges.program(str(program.find()))
    return replace(
        container,
        command=(
            *container.command,
            *("--log-level", given.get("ENVOY_LOG_LEVEL") or "info"),
            *("--concurrency", given.get("ENVOY_CONCURRENCY") or "1"),
            *("--file-flush-interval-msec", _FLUSH_MILLISECONDS),
        ),
        files={**container.files, _CONFIGURATION: msgspec.json.encode(bootstrap).decode()},
        mounts=(
            *container.mounts,
            *(Mount(str(file), target, is_read_only=True) for target, file in envoy.files.items()),
        ),
        capabilities=(),
        user=container.user if users.have_ranges() else 0,
        group=container.group if users.have_ranges() else 0,
    )


def _is_enabled(environment: Mapping[str, str], variable: str) -> bool:
    return environment.get(variable) in ("1", "true")


def get_admin_port(environment: Mapping[str, str]) -> int:
    """Return the port of an Envoy's admin interface."""
    port = environment.get("ENVOY_ADMIN_ACCESS_PORT") or ""
    return int(port) if port.isdecimal() else 9901


async def is_live(runner: Runner, task: Task, port: int, seconds: float) -> bool:
    """Whether the Envoy of a task has its configuration. Raises KeeperError once the task's network is gone."""
    network, interface = task.interface["network"], task.interface["id"]
    made = await runner.keeper.call_for_socket("open_socket", network=network, interface=interface)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(made, (_LOOPBACK, port))
            reader, writer = await asyncio.open_connection(sock=made)
            try:
                writer.write(b"GET /stats?filter=%b HTTP/1.1\r\nHost: envoy\r\nConnection: close\r\n\r\n" % _LISTENERS)
                answer = b""
                while len(answer) < _MAX_ANSWER_BYTES and (part := await reader.read(_MAX_ANSWER_BYTES)):
                    answer += part
                listed = re.search(_LISTENERS + rb": ([0-9]+)", answer)
            finally:
                writer.close()
            return listed is not None and int(listed[1]) > 0
    except (OSError, TimeoutError):
        made.close()
        return False
