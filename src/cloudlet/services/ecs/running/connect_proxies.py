"""Proxies of Service Connect: an Envoy beside the containers of a task.

It is in the task's network, so that the task's security groups are for it, too. It starts before the containers and
ends after them; one that ends by itself is started again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cloudlet.core import Transaction
from cloudlet.core.background.reconciler import Key
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.containers import users
from cloudlet.engines.containers.description import Container, Mount
from cloudlet.engines.envoy import program, statistics
from cloudlet.engines.envoy.configuration_server import ConfigurationServer
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.engines.sandbox import privileges
from cloudlet.services.ecs import connect_targets
from cloudlet.services.ecs.connect_services import PROXIES
from cloudlet.services.ecs.connect_targets import Destination, Map, Shift
from cloudlet.services.ecs.running import connect_measuring, log_sending
from cloudlet.services.ecs.running.connect_snapshot import make_snapshot, write_rules
from cloudlet.services.ecs.running.failures import InitializationFailure
from cloudlet.services.ecs.running.runner import Runner, make_container_name
from cloudlet.services.ecs.task_record import PROXY, Task

if TYPE_CHECKING:
    from pathlib import Path

    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")
_LOOK_SECONDS: Final = 0.03
_REFRESH_SECONDS: Final = 60.0
_MAX_WAIT_SECONDS: Final = 5.0
_GRACE_SECONDS: Final = 0.1
_ADMIN: Final = "/run/admin"
_ADMIN_FOLDER: Final = "admin"
_IN_FLIGHT: Final = r"^(?:http\.in\..*\.downstream_rq|tcp\.in\..*\.downstream_cx)_active$"
"""The counters of requests, and of connections whose requests a proxy does not know."""
_MEMORY_BYTES: Final = 256 << 20


class _Proxies:
    """The proxies that are configured by this process: the tasks that they are of."""

    def __init__(self, block: Block) -> None:
        self.server = ConfigurationServer()
        self.tasks: dict[str, Task] = {}
        self.folder: Path = block.cloud.config.data / "work" / "ecs" / "connect"
        self.is_open = False
        self.configuring = asyncio.Lock()
        self.maps: dict[tuple[str, str], Map] = {}
        """The map that proxies of an account in a region were told last."""
        self.told: dict[str, dict[str, Destination]] = {}
        """The destinations that the proxy of a task was told last."""
        self.draining: dict[str, float] = {}
        """Since when tasks are to get no requests any more."""
        self.left: dict[str, float] = {}
        """Since when all proxies know that."""

    def list_tasks(self, account: str, region: str) -> list[Task]:
        """Return the tasks of an account in a region."""
        return [task for task in self.tasks.values() if (task.account, task.region) == (account, region)]

    def find_map(self, account: str, region: str) -> Map | None:
        """Return the map that all proxies of running tasks have taken, if they have."""
        led = self.maps.get((account, region))
        return led if led is not None and all(self.server.has_applied(name) for name in led.proxied) else None

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
            async with proxies.configuring:
                await _configure(runner.block, proxies, [task])
            await _request(runner.block, task)
        if not runner.is_running(task, PROXY):
            await runner.forget_container(task, PROXY)
            await log_sending.open_stream(runner.block, task, PROXY, describe_log(task))
            connect_measuring.begin(runner.block, task)
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
    if task.id in proxies.tasks:
        await connect_measuring.count(runner, task, get_admin_path(runner, task))
        connect_measuring.forget(runner.block, task)
    for known in (proxies.tasks, proxies.told, proxies.draining, proxies.left):
        known.pop(task.id, None)
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
    for each in (own / "root", own / _ADMIN_FOLDER):
        each.mkdir(parents=True, exist_ok=True)
    users.give(own / _ADMIN_FOLDER)
    runner.mark_folder(task)
    envoy = privileges.program(str(program.find()))
    socket = {"pipe": {"path": f"{program.PLACE}/{program.CONFIGURATION_SOCKET}"}}
    admin = {"pipe": {"path": f"{_ADMIN}/{program.ADMIN_SOCKET}"}}
    bootstrap = program.write_bootstrap(task.id, socket, admin)
    level = task.connect.log_level if task.connect else "info"
    options = ["-c", "/etc/envoy.json", "--log-level", level, "--concurrency", "1", "--disable-hot-restart"]
    options += ["--file-flush-interval-msec", "200"]
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
            Mount(str(own / _ADMIN_FOLDER), _ADMIN),
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
    found = proxies.list_tasks(account, region)
    if not found:
        proxies.maps.pop((account, region), None)
        return None
    async with proxies.configuring:
        proxies.maps[account, region] = await _configure(block, proxies, found)
    return _REFRESH_SECONDS


async def _configure(block: Block, proxies: _Proxies, found: list[Task]) -> Map:
    """Tell proxies of one account and region where tasks are. What was read first must not be told last."""
    led = await block.store.transact(lambda tx: connect_targets.load(tx, found[0].account, found[0].region))
    for task in found:
        if task.connect is not None and task.id in proxies.tasks:
            destinations = led.destinations.get(task.connect.namespace_name, {})
            if proxies.told.get(task.id) != destinations:
                proxies.server.set_snapshot(task.id, make_snapshot(task.connect, destinations))
                proxies.told[task.id] = destinations
                # A snapshot takes some milliseconds.
                await asyncio.sleep(0)
    return led


async def wait_for_shift(block: Block, key: tuple[str, str, str, str], shift: Shift) -> None:
    """Wait, for a while, until all proxies lead by the shift of a deployment."""
    account, region, *_ = key
    proxies = _PROXIES.get(block)
    for _ in range(round(_MAX_WAIT_SECONDS / _LOOK_SECONDS)):
        if not proxies.list_tasks(account, region):
            return
        led = proxies.find_map(account, region)
        if led is not None and led.shifts.get(key) == shift:
            return
        await asyncio.sleep(_LOOK_SECONDS)
    log.warning("proxies of Service Connect have not taken the traffic of %s in time", key)


async def drain(runner: Runner, task: Task) -> float | bool:
    """Wait until a task gets no requests, and has answered those it got. True once that is so."""
    if task.connect is None or not task.connect.ports or all(each.has_ended for each in task.containers):
        return True
    proxies, now = _PROXIES.get(runner.block), runner.get_time()
    began = proxies.draining.setdefault(task.id, now)
    if now - began >= _MAX_WAIT_SECONDS:
        return True
    led = proxies.find_map(task.account, task.region)
    if led is None or task.id in led.tasks:
        proxies.left.pop(task.id, None)
        return _LOOK_SECONDS
    # The threads of an Envoy learn of a change a little later than it says that it has it.
    if now - proxies.left.setdefault(task.id, now) < _GRACE_SECONDS:
        return _GRACE_SECONDS
    try:
        counted = await statistics.read(get_admin_path(runner, task), _IN_FLIGHT)
    except OSError:
        # A proxy that has ended passes nothing on.
        return True
    return _LOOK_SECONDS if any(counted.values.values()) else True


def get_admin_path(runner: Runner, task: Task) -> Path:
    """Return where the proxy of a task answers questions."""
    return runner.get_folder(task) / PROXY.name / _ADMIN_FOLDER / program.ADMIN_SOCKET


def list_proxied(block: Block) -> list[Task]:
    """Return the tasks whose proxies this process looks after."""
    return list(_PROXIES.get(block).tasks.values())
