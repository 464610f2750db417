"""A Cloudlet, or a block of one, put together, started, and stopped in order."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from cloudlet.core.host.data_folder import InUse, lock_exclusively, lock_shared, restrict_to_owner
from cloudlet.core.host.shared_state import KEYSPACE, OtherKey, SharedState
from cloudlet.core.host.snapshots import Snapshots
from cloudlet.core.host.temporary_folder import TemporaryFolder
from cloudlet.core.kernel.clock_setting import load as load_clock
from cloudlet.core.kernel.cloud import FILES_KEPT_SECONDS, Auth, Cloud, Config, list_blocks, postgres_engine
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.system_clock import SystemClock
from cloudlet.core.kernel.tokens import TokenSealer, load_master_key
from cloudlet.core.telemetry.observers import OBSERVERS
from cloudlet.edge.access_keys import KeyRing
from cloudlet.edge.admin_api import AdminApi
from cloudlet.edge.auth import Authenticator
from cloudlet.edge.clients import Limits
from cloudlet.edge.clock_control import FILE as CLOCK
from cloudlet.edge.clock_control import ClockControl
from cloudlet.edge.front import FrontDoor
from cloudlet.edge.http import HttpServer
from cloudlet.edge.instances import Instance, registering
from cloudlet.edge.listeners import DaemonSockets, bind, open_inherited, port_of
from cloudlet.edge.reports import OneProcess
from cloudlet.edge.root_keys import RootKey, read_root_keys
from cloudlet.edge.tuning import compute_max_connections, tune
from cloudlet.store import StoreError
from cloudlet.store.disk_space import DiskReserve
from cloudlet.store.folders import make_private

if TYPE_CHECKING:
    from ssl import SSLContext

    from cloudlet.edge.fleet import Supervisor
    from cloudlet.edge.isolation import BlockLauncher
    from cloudlet.edge.served_certificates import ServedCertificates


_XRAY = "xray"
_NAMES = "route53"
_RETRY_SECONDS = 1.0

log = logging.getLogger("cloudlet.edge")


class StartError(Exception):
    """Cloudlet cannot start as it was asked to; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Supervised:
    """What a process is given by the one that supervises it."""

    clients: int
    """The descriptor of a TCP socket, and `front` that of a Unix socket, which both listen already."""
    front: int
    daemon: tuple[int, ...]
    """The descriptors of the block's daemon, where it is one."""
    admin_token: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How a Cloudlet is started."""

    data: Path | None = None
    """The data folder; None for a temporary one, removed at the end."""
    durable: bool = True
    host: str = "localhost"
    port: int = 4566
    endpoint: str | None = None
    """The URL under which clients reach it, where that is not where it listens."""
    auth: Auth = "open"
    services: frozenset[str] | None = None
    isolate: BlockLauncher | None = None
    """How to start each block in a process of its own; None: all run in this one."""
    store: str | None = None
    files_kept_seconds: float = FILES_KEPT_SECONDS
    peers: Mapping[str, str] = field(default_factory=dict)
    master_key: bytes | None = None
    """The key of temporary credentials; None: the one in the data folder."""
    root_keys: tuple[RootKey, ...] = ()
    tls: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    xray_daemon: int | None = None
    """The port on which it is X-Ray's daemon for SDKs on this machine: segments come by UDP, and sampling rules are
    asked for by HTTP. None: it is not."""
    dns: int | None = None
    """The port on which Route 53's name server answers, over UDP and TCP. None: it does not."""
    shares_data: bool = False
    """Whether other processes may use the data folder, each for other blocks."""
    supervised: Supervised | None = None
    until_eof: bool = False
    """Whether it stops when its standard input ends, too."""
    traces_calls: bool = False
    sandbox: Literal["bubblewrap", "none"] = "bubblewrap"


def default_data() -> Path:
    """Return the data folder: $CLOUDLET_DATA, else `cloudlet` in the user's data home."""
    given = os.environ.get("CLOUDLET_DATA")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "cloudlet"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def serve(settings: Settings, ready: Callable[[Instance], None]) -> None:
    """Run until SIGTERM, SIGINT or SIGHUP; `ready` is called once requests are answered. Raises StartError."""
    if settings.auth == "open" and not is_loopback(settings.host):
        raise StartError(
            f"in open mode everybody who reaches {settings.host} would be let in: listen on localhost, or start with "
            "--auth strict and --root-key ACCOUNT:KEY:SECRET"
        )
    try:
        if settings.data is None:
            with closing(TemporaryFolder()) as temporary:
                await _serve(settings, temporary.path, ready)
        else:
            _make_folder(settings.data)
            with _claimed(settings, settings.data):
                if settings.supervised is None:
                    restrict_to_owner(settings.data)
                    DiskReserve(settings.data).fill()
                await _serve(settings, settings.data, ready)
    except (OSError, InUse, StoreError) as error:
        raise StartError(str(error)) from error


def _make_folder(data: Path) -> None:
    try:
        make_private(data)
    except OSError as error:
        raise StartError(f"cannot use {data} as the data folder: {error.strerror}") from error


def _keeps_data(settings: Settings) -> bool:
    """Whether this process is the one that looks after what is in the data folder."""
    return settings.store is None and not settings.shares_data and settings.supervised is None


def _claimed(settings: Settings, data: Path) -> AbstractContextManager[None]:
    """Have the right to the data folder. Raises InUse, StoreError and OSError."""
    if _keeps_data(settings):
        return lock_exclusively(data)
    if settings.shares_data and settings.store is None and settings.supervised is None:
        return lock_shared(data)
    # The data is elsewhere, or the folder is that of the process that supervises this one.
    return nullcontext()


async def _serve(settings: Settings, data: Path, ready: Callable[[Instance], None]) -> None:
    master_key = settings.master_key or load_master_key(data / "master.key")
    shared, is_there = await _shared(settings)
    tokens = TokenSealer(master_key)
    try:
        root_keys = [*read_root_keys(data / "keys.json"), *settings.root_keys]
    except ValueError as error:
        raise StartError(str(error)) from error
    if settings.auth == "strict" and not root_keys and not settings.shares_data:
        kept = "" if settings.data is None else f", or write {data / 'keys.json'}"
        raise StartError(
            "strict mode lets in known access keys only, and there is none: give --root-key ACCOUNT:KEY:SECRET or set "
            f"$CLOUDLET_ROOT_KEYS{kept}"
        )
    tls, authority = _tls(settings, data)
    supervised = settings.supervised
    sockets = bind(settings.host, settings.port) if supervised is None else [open_inherited(supervised.clients)]
    port = port_of(sockets[0])
    daemons = _daemon_sockets(settings)
    # The one who answers is the block, in whichever process it runs.
    daemons_here = {} if settings.isolate is not None else daemons
    listening = f"{'https' if tls else 'http'}://{_reachable(settings.host)}:{port}"
    config = _config(settings, data, listening, authority, daemons_here)
    # A block that is served alone has no say over the time of others.
    movable = supervised is not None or not settings.shares_data or shared is not None
    clock = SystemClock(load_clock(data / CLOCK) if movable else None)
    cloud = Cloud(config, tokens, clock, OBSERVERS)
    admin_token = random_bytes(24).hex() if supervised is None else supervised.admin_token
    fleet = _fleet(settings, config, admin_token, daemons)
    blocks: OneProcess | Supervisor = OneProcess(cloud, port) if fleet is None else fleet
    keys = KeyRing(root_keys, tokens, cloud.permissions)
    cloud.find_key = keys.find
    front = FrontDoor(cloud, Authenticator(keys, clock, strict=settings.auth == "strict"), fleet)
    snapshots = Snapshots(data, blocks, front.pause, front.resume) if _keeps_data(settings) else None
    moving = ClockControl(clock, data, None if fleet is None else fleet.set_clock, shared) if movable else None
    front.internal = AdminApi(cloud, blocks, snapshots, moving, shared, admin_token)
    limits = Limits()
    server = HttpServer(front, replace(limits, connections=min(limits.connections, compute_max_connections())))
    running = Instance(
        pid=os.getpid(),
        port=port,
        endpoint=listening,
        data=str(data),
        admin_token=admin_token,
        authority=None if authority is None else str(authority),
        xray_daemon=_format_address(daemons.get(_XRAY)),
        dns=_format_address(daemons.get(_NAMES)),
        certificate=None if settings.tls_certificate is None else str(settings.tls_certificate.absolute()),
        strict=settings.auth == "strict",
        public=settings.endpoint,
        blocks={} if fleet is None else {name: f"http://127.0.0.1:{port}" for name, port in fleet.ports.items()},
    )
    tune()
    stop = _stop_asked(settings)
    # What keeps a block from working is to be known before anybody relies on it.
    try:
        if is_there and shared is not None and moving is not None:
            await shared.check_key(master_key, data)
            await moving.look()
        if settings.shares_data:
            cloud.load_all()
        else:
            running = msgspec.structs.replace(running, failed=cloud.start_blocks())
        if is_there:
            await cloud.claim_files()
    except BaseException:
        # Jobs are at work by now.
        await cloud.close()
        if shared is not None:
            await shared.close()
        raise
    following = asyncio.create_task(_follow(shared, moving, master_key, data))
    if supervised is not None:
        await server.listen(open_inherited(supervised.front), forwarded=True)
    served = None if tls is None else _serve_certificates(cloud, fleet, tls, front.public_host)
    for each in sockets:
        await server.listen(each, served)
    if _XRAY in daemons_here:
        await server.listen(daemons_here[_XRAY].listening)
    with nullcontext() if supervised else registering(running):
        ready(running)
        if fleet is not None:
            fleet.wake()
        try:
            await stop.wait()
        finally:
            await asyncio.gather(
                server.stop(), cloud.release_waiting_requests(), *(() if fleet is None else (fleet.close(),))
            )
            following.cancel()
            await cloud.close()
            if served is not None:
                await served.close()
            if shared is not None:
                await shared.close()


def _serve_certificates(
    cloud: Cloud, fleet: Supervisor | None, own: SSLContext, public_host: str
) -> ServedCertificates:
    # Imported late: few listen with TLS.
    from cloudlet.edge.served_certificates import ServedCertificates

    return ServedCertificates(cloud, fleet, own, public_host)


async def _shared(settings: Settings) -> tuple[SharedState | None, bool]:
    """Return what this process shares with others on its database, if it has one, and whether that is there.

    Raises StoreError.
    """
    if settings.store is None:
        return None, False
    if settings.supervised is not None:
        # What is to be known, its supervisor knows and tells.
        return None, True
    engine = postgres_engine(settings.store)
    connections = len(list_blocks() if settings.services is None else settings.services) + 1
    is_there = await engine.check(settings.store, connections)
    return SharedState(engine(settings.store, KEYSPACE)), is_there


async def _follow(shared: SharedState | None, moving: ClockControl | None, master_key: bytes, data: Path) -> None:
    """Have in common with other processes what is to be so, also where the database was away at first."""
    if shared is None or moving is None:
        return
    while True:
        try:
            await shared.check_key(master_key, data)
            break
        except OtherKey as error:
            log.error("%s", error)
            break
        except StoreError:
            await asyncio.sleep(_RETRY_SECONDS)
    await moving.follow()


def _config(
    settings: Settings, data: Path, listening: str, authority: Path | None, daemons: Mapping[str, DaemonSockets]
) -> Config:
    """Return what the blocks of this process are told.

    `daemons` has the sockets of those that are daemons and run here.
    """
    return Config(
        data=data,
        auth=settings.auth,
        services=settings.services if settings.isolate is None else frozenset(),
        durable=settings.durable,
        endpoint=settings.endpoint or listening,
        store=settings.store,
        files_kept_seconds=settings.files_kept_seconds,
        peers=settings.peers,
        datagrams={name: daemon.datagrams for name, daemon in daemons.items()},
        listening={name: daemon.listening for name, daemon in daemons.items()},
        traces_calls=settings.traces_calls,
        sandbox=settings.sandbox,
        authority=authority if settings.supervised is None else _authority_of_endpoint(settings, data),
        owner=os.getpid() if settings.supervised is None else os.getppid(),
    )


def _daemon_sockets(settings: Settings) -> dict[str, DaemonSockets]:
    """Return the sockets of the blocks that are daemons, by their names. Raises StartError."""
    if settings.supervised is not None:
        descriptors = settings.supervised.daemon
        return {name: DaemonSockets.inherited(*descriptors) for name in settings.services or () if descriptors}
    if settings.xray_daemon is not None and settings.auth == "strict":
        raise StartError("X-Ray's daemon lets in whoever reaches it: there is none with --auth strict")
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    asked = {_XRAY: ("X-Ray's daemon", settings.xray_daemon), _NAMES: ("the name server", settings.dns)}
    sockets = {}
    for name, (shown, port) in asked.items():
        if port is None:
            continue
        if settings.services is not None and name not in settings.services:
            raise StartError(f"{shown} needs the block {name}")
        sockets[name] = DaemonSockets.bound(host, port)
    return sockets


def _format_address(daemon: DaemonSockets | None) -> str | None:
    return None if daemon is None else "{}:{}".format(*daemon.address)


def _fleet(
    settings: Settings, config: Config, admin_token: str, daemons: Mapping[str, DaemonSockets]
) -> Supervisor | None:
    if settings.isolate is None:
        return None
    # Imported late: without isolation Cloudlet starts quicker.
    from cloudlet.edge.isolation import make_supervised_blocks

    return make_supervised_blocks(settings.isolate, settings.services, config, admin_token, daemons)


def _reachable(host: str) -> str:
    """Return the host by which this machine's clients reach a server that listens on `host`.

    For localhost that is its number: SDKs then put a bucket into the path. Below the name, `bucket.localhost`, they
    would need a resolver that knows it, which Debian's does not.
    """
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return "127.0.0.1" if address.is_unspecified else host
    return "[::1]" if address.is_unspecified else f"[{host}]"


def _stop_asked(settings: Settings) -> asyncio.Event:
    """Return an event that tells when to stop: at a signal, or when the supervising process has gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if settings.supervised is None:
        loop.add_signal_handler(signal.SIGINT, stop.set)
        # Its terminal is closed; with nohup it is to outlive that.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, stop.set)
    else:
        # Ctrl-C goes to all processes of a terminal, and so does its end; this one stops when it is told to.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if settings.supervised is not None or settings.until_eof:
        _at_eof(stop.set)
    return stop


def _at_eof(callback: Callable[[], None]) -> None:
    """Call `callback` when standard input ends: when the process at its other end has gone, however it ended."""
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()

    def look() -> None:
        # What is written means nothing.
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            callback()

    try:
        loop.add_reader(descriptor, look)
    except OSError as error:
        raise StartError("standard input is neither a pipe nor a terminal, so its end cannot be waited for") from error


def _authority_of_endpoint(settings: Settings, data: Path) -> Path | None:
    """Return the authority of the front door that supervises this process, which has made one where it has none yet."""
    from cloudlet.edge.tls import local_authority

    authority = local_authority(data / "tls")
    is_secure = (settings.endpoint or "").startswith("https:")
    return authority if is_secure and authority.exists() else None


def _tls(settings: Settings, data: Path) -> tuple[SSLContext | None, Path | None]:
    if not settings.tls and settings.tls_certificate is None:
        return None, None
    from cloudlet.edge.tls import local_certificate, server_context

    if settings.tls_certificate is not None and settings.tls_key is not None:
        try:
            return server_context(settings.tls_certificate, settings.tls_key), None
        except OSError as error:
            # Of a file that is not there, the system does not say which one it is.
            pair = f"{settings.tls_certificate} and {settings.tls_key}"
            raise StartError(f"cannot use {pair} as certificate and key: {error.strerror or error}") from error
    authority, certificate, key = local_certificate(data / "tls", settings.host)
    return server_context(certificate, key), authority
