"""A whole Cloudlet in one process: everything put together, started, and stopped in order."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import ipaddress
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cloudlet.core.cloud import Auth, Cloud, Config
from cloudlet.core.snapshots import Snapshots, remove_leftovers
from cloudlet.core.tokens import TokenSealer, load_master_key
from cloudlet.edge.auth import Authenticator
from cloudlet.edge.front import Front
from cloudlet.edge.http import HttpServer
from cloudlet.edge.internal import Internal
from cloudlet.edge.keys import KeyRing, RootKey, read_root_keys
from cloudlet.edge.running import Running, announce

if TYPE_CHECKING:
    from ssl import SSLContext


class StartError(Exception):
    """Cloudlet cannot start as it was asked to; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a Cloudlet is started."""

    data: Path
    host: str = "localhost"
    port: int = 4566
    auth: Auth = "open"
    services: frozenset[str] | None = None
    ephemeral: bool = False
    root_keys: tuple[RootKey, ...] = ()
    tls: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None


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


async def serve(settings: Settings, ready: Callable[[Running], None]) -> None:
    """Run until SIGTERM or SIGINT; `ready` is called once requests are answered. Raises StartError."""
    if settings.auth == "open" and not is_loopback(settings.host):
        raise StartError(
            f"in open mode everybody who reaches {settings.host} would be let in: listen on localhost, or start with "
            "--auth strict and --root-key ACCOUNT:KEY:SECRET"
        )
    data = Path(tempfile.mkdtemp(prefix="cloudlet-")) if settings.ephemeral else settings.data
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"another Cloudlet uses {data}: stop it (cloudlet down) or name another --data") from None
        remove_leftovers(data)
        await _serve(settings, data, ready)
    except OSError as error:
        raise StartError(str(error)) from error
    finally:
        if settings.ephemeral:
            shutil.rmtree(data, ignore_errors=True)


async def _serve(settings: Settings, data: Path, ready: Callable[[Running], None]) -> None:
    tokens = TokenSealer(load_master_key(data / "master.key"))
    keys = KeyRing([*read_root_keys(data / "keys.json"), *settings.root_keys], tokens)
    tls, authority = _tls(settings, data)
    scheme = "https" if tls else "http"
    config = Config(
        data=data,
        auth=settings.auth,
        services=settings.services,
        durable=not settings.ephemeral,
        endpoint=f"{scheme}://localhost:{settings.port}",
    )
    cloud = Cloud(config, tokens)
    admin_token = secrets.token_hex(24)
    front = Front(cloud, Authenticator(keys, strict=settings.auth == "strict"))
    front.internal = Internal(cloud, Snapshots(cloud, front.hold, front.release), admin_token)
    server = HttpServer(front)
    port = await _listen(server, settings, tls)
    running = Running(
        pid=os.getpid(),
        port=port,
        endpoint=f"{scheme}://{settings.host}:{port}",
        data=str(data),
        admin_token=admin_token,
        authority=None if authority is None else str(authority),
    )
    announced = announce(running)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _tune()
    ready(running)
    try:
        cloud.wake()
        await stop.wait()
    finally:
        announced.unlink(missing_ok=True)
        await asyncio.gather(server.stop(), cloud.dismiss())
        await cloud.close()


def _tls(settings: Settings, data: Path) -> tuple[SSLContext | None, Path | None]:
    if not settings.tls and settings.tls_certificate is None:
        return None, None
    from cloudlet.edge.tls import local_certificate, server_context

    if settings.tls_certificate is not None and settings.tls_key is not None:
        return server_context(settings.tls_certificate, settings.tls_key), None
    authority, certificate, key = local_certificate(data / "tls", settings.host)
    return server_context(certificate, key), authority


async def _listen(server: HttpServer, settings: Settings, tls: SSLContext | None) -> int:
    if settings.host != "localhost":
        return await server.listen(settings.host, settings.port, tls)
    port = await server.listen("127.0.0.1", settings.port, tls)
    # Some clients take localhost for ::1; a machine without IPv6 does without.
    with suppress(OSError):
        await server.listen("::1", port, tls)
    return port


def _tune() -> None:
    """What was loaded so far stays: the collector need not look at it again, nor run every few hundred requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    sys.setswitchinterval(0.001)
