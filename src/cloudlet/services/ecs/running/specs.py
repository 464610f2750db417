"""The description of a container for the keeper, by its definition and its image.

Where both say something, it is as with Docker: an entry point of the definition's takes the image's command away.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from cloudlet.engines.containers import image_users, users
from cloudlet.engines.containers.description import DEFAULT_CAPABILITIES, Container, Mount, SharedLimits, Tmpfs
from cloudlet.engines.images import Config, ImageError, resolve_path
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.engines.network.router import METADATA
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.running import connect_proxies, interfaces, mesh_envoys, metadata, volumes
from cloudlet.services.ecs.running.described import find_override
from cloudlet.services.ecs.running.failures import CreateFailure, StartFailure
from cloudlet.services.ecs.running.interfaces import Place
from cloudlet.services.ecs.running.pulling import LocalImage
from cloudlet.services.ecs.running.runner import Runner
from cloudlet.services.ecs.task_record import Task

_MIB: Final = 1 << 20
_CPU_UNITS: Final = 1024
_LOG_BYTES: Final = 64 << 20
_MIN_LOG_BYTES: Final = 64 << 10
_SIZE: Final = re.compile(r"(\d+)([kmg]?)b?", re.ASCII | re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_MIN_SHARES: Final = 2
_MAX_SHARES: Final = 262_144
_SHARED_MEMORY_MIB: Final = 64
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ALL: Final = (
    *("AUDIT_CONTROL", "AUDIT_WRITE", "BLOCK_SUSPEND", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID"),
    *("IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN"),
    *("NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_ADMIN"),
    *("SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE"),
    *("SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM"),
)


def find_stop_signal(config: Config | None) -> int:
    """Return the number of the signal by which an image is to be stopped."""
    said = ((config and config.stop_signal) or "SIGTERM").strip().upper()
    if said.isdecimal():
        return int(said)
    name = said if said.startswith("SIG") else f"SIG{said}"
    return int(getattr(signal, name, signal.SIGTERM))


async def describe(
    runner: Runner,
    task: Task,
    definition: Definition,
    described: dict[str, Any],
    image: LocalImage,
    environment: Mapping[str, str],
) -> tuple[dict[str, Any], Place, list[dict[str, Any]]]:
    """Return the description of a container, its place and its ports. Raises TaskFailure."""
    name = described["name"]
    place = await interfaces.open_place(runner, task, name)
    await _set_parameters(runner, described, place)
    bindings = await interfaces.bind_ports(runner, task, described, place)
    told = await metadata.list_variables(runner, task, name)
    made = await asyncio.to_thread(
        _describe, runner, task, definition, described, image, {**told, **environment}, place
    )
    return dict(msgspec.to_builtins(made)), place, bindings


async def _set_parameters(runner: Runner, described: Mapping[str, Any], place: Place) -> None:
    """Set the kernel parameters of a container's network. Raises StartFailure."""
    wanted = {each["namespace"]: str(each.get("value") or "") for each in described.get("systemControls") or ()}
    if not wanted:
        return
    try:
        await runner.keeper.call("set_parameters", network=place.network, interface=place.interface, parameters=wanted)
    except KeeperError as error:
        raise StartFailure(described["name"], f"the kernel parameters cannot be set: {error}") from None


def _describe(
    runner: Runner,
    task: Task,
    definition: Definition,
    described: dict[str, Any],
    image: LocalImage,
    environment: Mapping[str, str],
    place: Place,
) -> Container:
    """Return the description of a container. Waits for the disk. Raises TaskFailure."""
    name, linux = described["name"], described.get("linuxParameters") or {}
    try:
        user = image_users.find(image.root, described.get("user") or image.config.user or "")
    except ImageError as error:
        raise StartFailure(name, str(error)) from None
    override = find_override(task, name)
    folder = described.get("workingDirectory") or image.config.working_dir or "/"
    own = runner.get_folder(task) / name
    own.mkdir(parents=True, exist_ok=True)
    runner.mark_folder(task)
    hostname = described.get("hostname") or place.hostname
    _make_folder(image.root, own / "scratch", folder)
    variables = {"PATH": _PATH, "HOSTNAME": hostname, "HOME": user.home, **image.config.environment, **environment}
    made = Container(
        str(image.root),
        str(own / "scratch"),
        _find_command(described, override, image),
        str(own / "log"),
        environment=variables,
        folder=folder,
        user=user.user,
        group=user.group,
        groups=user.groups,
        hostname=hostname,
        network=place.network,
        interface=place.interface,
        has_no_network=place.has_no_network,
        files={**_list_files(task, described, place, hostname)},
        mounts=(*_list_mounts(runner, task, definition, described, image), *metadata.list_mounts(runner)),
        tmpfs=tuple(Tmpfs(each["containerPath"], each["size"] * _MIB) for each in linux.get("tmpfs") or ()),
        is_read_only=bool(described.get("readonlyRootFilesystem")),
        has_init=bool(linux.get("initProcessEnabled")),
        capabilities=_list_capabilities(linux.get("capabilities") or {}),
        has_no_new_privileges=any("no-new-privileges" in each for each in described.get("dockerSecurityOptions") or ()),
        resource_limits={
            each["name"]: (each["softLimit"], each["hardLimit"]) for each in described.get("ulimits") or ()
        },
        memory_bytes=_find_memory(task, described, override),
        cpus=float(os.cpu_count() or 1),
        cpu_shares=min(max(int(override.get("cpu") or described.get("cpu") or 0), _MIN_SHARES), _MAX_SHARES),
        shared_limits=_find_limits(task),
        max_log_bytes=_find_log_size(described),
        shared_memory_bytes=(linux.get("sharedMemorySize") or _SHARED_MEMORY_MIB) * _MIB,
    )
    return mesh_envoys.complete(made, runner.block, task, name) if mesh_envoys.is_envoy(described) else made


def _find_command(described: Mapping[str, Any], override: Mapping[str, Any], image: LocalImage) -> tuple[str, ...]:
    """Return the program and its arguments. Raises TaskFailure where there is none."""
    entry, command = described.get("entryPoint"), override.get("command") or described.get("command")
    if not command and not entry:
        command = image.config.cmd
    words = (*(entry or image.config.entrypoint or ()), *(command or ()))
    if not words:
        raise CreateFailure(described["name"], "Error response from daemon: No command specified")
    return words


def _make_folder(root: Path, scratch: Path, folder: str) -> None:
    """Make a working directory that an image does not have, as Docker does."""
    if not resolve_path(root, folder).exists():
        made = scratch / "changes"
        made.mkdir(parents=True, exist_ok=True)
        for part in (part for part in folder.split("/") if part not in ("", ".", "..")):
            made /= part
            if not made.exists():
                made.mkdir()
                users.give(made)


def _list_files(task: Task, described: Mapping[str, Any], place: Place, hostname: str) -> dict[str, str]:
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    if place.address:
        lines.append(f"{place.address} {hostname} {hostname.partition('.')[0]}")
    if place.network:
        lines.append(f"{METADATA} {metadata.NAME}")
    lines += connect_proxies.list_names(task)
    lines += [f"{each['ipAddress']} {each['hostname']}" for each in described.get("extraHosts") or ()]
    servers = [*(described.get("dnsServers") or ()), *place.resolvers]
    names = [f"nameserver {each}" for each in servers]
    domains = [*(described.get("dnsSearchDomains") or ()), *place.domains]
    if domains:
        names.append(f"search {' '.join(domains)}")
    files = {"/etc/hosts": "\n".join(lines) + "\n", "/etc/hostname": f"{hostname}\n"}
    if place.network or names:
        files["/etc/resolv.conf"] = "\n".join(names) + "\n"
    elif not place.has_no_network:
        files["/etc/resolv.conf"] = Path("/etc/resolv.conf").read_text(errors="replace")
    return files


def _list_mounts(
    runner: Runner, task: Task, definition: Definition, described: Mapping[str, Any], image: LocalImage
) -> Iterator[Mount]:
    """Yield the volumes that a container sees, its own and those of others (volumesFrom)."""
    by_name = {each["name"]: each for each in definition.containers}
    known = {each["name"]: each for each in definition.shape.get("volumes") or ()}
    for each in described.get("mountPoints") or ():
        source = volumes.provide(runner, task, known[each["sourceVolume"]], image.root, each["containerPath"])
        yield Mount(str(source), each["containerPath"], bool(each.get("readOnly")))
    for each in described.get("volumesFrom") or ():
        for mount in _list_mounts(runner, task, definition, by_name[each["sourceContainer"]], image):
            yield Mount(mount.source, mount.target, mount.is_read_only or bool(each.get("readOnly")))


def _list_capabilities(given: Mapping[str, Any]) -> tuple[str, ...]:
    added, dropped = set(given.get("add") or ()), set(given.get("drop") or ())
    kept = set(_ALL) if "ALL" in added else set(DEFAULT_CAPABILITIES)
    kept = (set() if "ALL" in dropped else kept - dropped) | (added - {"ALL"})
    return tuple(sorted(kept))


def _find_log_size(described: Mapping[str, Any]) -> int:
    """Return the bytes of output that are kept: of `json-file` two files of its max-size. Raises TaskFailure."""
    configuration = described.get("logConfiguration") or {}
    said = (configuration.get("options") or {}).get("max-size")
    if configuration.get("logDriver") != "json-file" or not said:
        return _LOG_BYTES
    match = _SIZE.fullmatch(said)
    if match is None:
        raise CreateFailure(described["name"], f"invalid value for max-size: {said}")
    return max(2 * int(match[1]) * _UNITS[match[2].lower()], _MIN_LOG_BYTES)


def _find_limits(task: Task) -> SharedLimits | None:
    """Return the limits of all containers of a task together, where it has some."""
    if not task.cpu and not task.memory:
        return None
    memory = int(task.memory) * _MIB if task.memory else _measure_memory()
    cpus = int(task.cpu) / _CPU_UNITS if task.cpu else float(os.cpu_count() or 1)
    return SharedLimits(task.id, memory, cpus)


def _measure_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _find_memory(task: Task, described: Mapping[str, Any], override: Mapping[str, Any]) -> int:
    """Return the bytes that a container may take: by its own limit, or its task's."""
    size = override.get("memory") or described.get("memory") or task.memory
    return int(size) * _MIB if size else _measure_memory()
