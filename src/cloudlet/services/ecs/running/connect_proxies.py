"""Proxies of Service Connect: an Envoy beside the containers of a task.

It is in the task's network, so that the task's security groups are for it, too. It starts before the containers and
ends after them; one that ends by itself is started again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.reconciler import Key
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.containers.description import Container, Mount
from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.configuration_server import ConfigurationServer
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.engines.sandbox import privileges
from cloudlet.services.ecs.connect_services import PROXIES
from cloudlet.services.ecs.running import log_sending
from cloudlet.services.ecs.running.connect_snapshot import make_snapshot, write_rules
from cloudlet.services.ecs.running.failures import InitializationFailure
from cloudlet.services.ecs.running.runner import Runner, make_container_name
from cloudlet.services.ecs.task_record import PROXY, Task

if TYPE_CHECKING:
    from pathlib import Path

    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")
_LOOK_SECONDS: Final = 0.03
_REFRESH_SECONDS: Final = 5.0
_MAX_INSTANCES: Final = 1000
_MEMORY_BYTES: Final = 256 << 20


class _Proxies:
    """The proxies that are configured by this process: the tasks that they are of."""

    def __init__(self, block: Block) -> None:
        self.server = ConfigurationServer()
        self.tasks: dict[str, Task] = {}
        self.folder: Path = block.cloud.config.data / "work" / "ecs" / "connect"
        self.is_open = False

    async def open(self) -> None:
        """Listen for proxies, unless that is done. Raises OSError."""
        if not self.is_open:
            self.is_open = True
            try:
                await asyncio.to_thread(program.prepare_folder, self.folder)
                await self.server.listen_at(self.folder / "shared" / program.CONFIGURATION_SOCKET)
            except BaseException:
                self.is_open = False
                raise


_PROXIES: Final = PerBlock(_Proxies)


async def close(block: Block) -> None:
    """Configure proxies no more. They go on as they are."""
    await _PROXIES.pop(block).server.close()


async def provide(runner: Runner, task: Task) -> float | bool:
    """Have the proxy of a task run. True once it knows where to lead to. Raises TaskFailure."""
    if task.connect is None:
        return True
    proxies = _PROXIES.get(runner.block)
    try:
        await proxies.open()
        if task.id not in proxies.tasks:
            network, interface = task.interface["network"], task.interface["id"]
            rules = write_rules(task.connect)
            await runner.keeper.call("filter", network=network, interface=interface, commands=rules)
            proxies.tasks[task.id] = task
            await configure(runner.block, (task.account, task.region))
            await _request(runner.block, task)
        if not runner.is_running(task, PROXY):
            await runner.forget_container(task, PROXY)
            await log_sending.open_stream(runner.block, task, PROXY, describe_log(task))
            await runner.run(task, PROXY, await asyncio.to_thread(_describe, runner, task, proxies.folder))
    except (program.EnvoyMissingError, KeeperError, OSError) as error:
        raise InitializationFailure(f"the proxy of Service Connect cannot be run: {error}") from None
    log_sending.watch(runner, task, PROXY, describe_log(task))
    return proxies.server.has_applied(task.id) or _LOOK_SECONDS


def describe_log(task: Task) -> dict[str, Any]:
    """Return where a proxy logs to, as definitions of containers say it."""
    return {"logConfiguration": task.connect.log if task.connect else {}}


async def _request(block: Block, task: Task) -> None:
    """Have the proxies of a task's account looked after from now on."""

    async def body(tx: Transaction) -> None:
        PROXIES.request(tx, task.account, task.region)

    await block.store.transact(body)


async def remove(runner: Runner, task: Task) -> float | bool:
    """End the proxy of a task whose containers have ended. True once it has."""
    if task.connect is None:
        return True
    proxies = _PROXIES.get(runner.block)
    proxies.tasks.pop(task.id, None)
    proxies.server.forget(task.id)
    if runner.is_running(task, PROXY):
        try:
            await runner.keeper.call("kill", name=make_container_name(task, PROXY))
        except KeeperError:
            # It has ended just now.
            return _LOOK_SECONDS
        return _LOOK_SECONDS
    await runner.forget_container(task, PROXY)
    return True


def list_names(task: Task) -> list[str]:
    """Return the lines of /etc/hosts that lead to the proxy of a task."""
    endpoints = task.connect.endpoints if task.connect else ()
    return list(dict.fromkeys(f"{each.address} {each.port.dns_name}" for each in endpoints))


def _describe(runner: Runner, task: Task, folder: Path) -> dict[str, Any]:
    """Return the container of a proxy. Waits for the disk. Raises EnvoyMissingError and OSError."""
    own = runner.get_folder(task) / PROXY.name
    (own / "root").mkdir(parents=True, exist_ok=True)
    runner.mark_folder(task)
    envoy = privileges.program(str(program.find()))
    socket = {"pipe": {"path": f"{program.PLACE}/{program.CONFIGURATION_SOCKET}"}}
    bootstrap = program.write_bootstrap(task.id, socket, None)
    level = task.connect.log_level if task.connect else "info"
    options = ("-c", "/etc/envoy.json", "--log-level", level, "--concurrency", "1", "--disable-hot-restart")
    made = Container(
        root=str(own / "root"),
        scratch=str(own / "scratch"),
        command=(*envoy.command, *options),
        log=str(own / "log"),
        hostname="service-connect",
        network=task.interface["network"],
        interface=task.interface["id"],
        files={"/etc/envoy.json": msgspec.json.encode(bootstrap).decode()},
        mounts=(
            *(Mount(str(file), target, is_read_only=True) for target, file in envoy.files.items()),
            Mount(str(folder / "shared"), program.PLACE),
        ),
        capabilities=(),
        has_no_new_privileges=True,
        memory_bytes=_MEMORY_BYTES,
    )
    return dict(msgspec.to_builtins(made))


async def configure(block: Block, key: Key) -> float | None:
    """Tell the proxies of an account in a region where tasks are.

    Return after how many seconds to look again.
    """
    account, region = key
    proxies = _PROXIES.get(block)
    found = [task for task in proxies.tasks.values() if (task.account, task.region) == (account, region)]
    if not found:
        return None
    wanted = {
        (task.connect.namespace_name, each.port.discovery_name)
        for task in found
        if task.connect is not None
        for each in task.connect.endpoints
    }
    targets = {place: await _discover(block, account, region, *place) for place in sorted(wanted)}
    for task in found:
        if task.connect is not None and task.id in proxies.tasks:
            name = task.connect.namespace_name
            own = {discovery: each for (namespace, discovery), each in targets.items() if namespace == name}
            proxies.server.set_snapshot(task.id, make_snapshot(task.connect, own))
    return _REFRESH_SECONDS


async def _discover(block: Block, account: str, region: str, namespace: str, name: str) -> list[tuple[str, int]]:
    """Return the addresses and ports of the tasks behind a discovery name."""
    params = {"NamespaceName": namespace, "ServiceName": name, "MaxResults": _MAX_INSTANCES}
    try:
        answer = await block.call("servicediscovery", "DiscoverInstances", params, account=account, region=region) or {}
    except AwsError as error:
        if error.code in ("ServiceNotFound", "NamespaceNotFound"):
            return []
        raise
    listed = [each["Attributes"] for each in answer["Instances"]]
    return [
        (each["AWS_INSTANCE_IPV4"], int(each["AWS_INSTANCE_PORT"]))
        for each in listed
        if each.get("AWS_INSTANCE_IPV4") and each.get("AWS_INSTANCE_PORT")
    ]
