"""Which Cloudlets run on this machine: a file a port, readable by its owner alone.

Each has its file locked for as long as its process is there. So one that was killed is told from one that runs, also
where another process has its id by now, or where nobody has fetched what is left of it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

ADMIN_HEADER = "x-cloudlet-admin"
"""The header that has the token of who may change the cloud."""

_LOOK_SECONDS = 0.01


class Instance(msgspec.Struct, frozen=True):
    """A Cloudlet that runs."""

    pid: int
    port: int
    endpoint: str
    data: str
    admin_token: str
    blocks: dict[str, str] = {}
    """The URLs of blocks that clients can reach directly, by name."""
    xray_daemon: str | None = None
    """The address at which it is X-Ray's daemon, if it is."""
    dns: str | None = None
    """The address at which its name server answers, if it does."""
    authority: str | None = None
    """The file of the certificate authority that clients are to trust, where it listens with TLS."""
    certificate: str | None = None
    """The file of its certificate, where that is its user's own."""
    strict: bool = False
    """Whether it lets in known keys only."""
    failed: list[str] = []
    """The blocks whose data could not be opened when it started."""
    public: str | None = None
    """The URL under which clients reach it, where that is not where it listens."""


def get_runtime_folder() -> Path:
    """Return the folder for what this user runs. Raises PermissionError where others may write to it."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base) / "cloudlet" if base else Path(tempfile.gettempdir()) / f"cloudlet-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise PermissionError(f"{folder} must belong to this user alone")
    return folder


@contextmanager
def registering(running: Instance) -> Iterator[None]:
    """Have it written down that a Cloudlet runs."""
    file = get_runtime_folder() / f"{running.port}.json"
    fresh = file.with_suffix(f".{running.pid}")
    # It stays open, and so locked, until the process has ended.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, msgspec.json.encode(running))
    fresh.rename(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find(port: int) -> Instance | None:
    """Return the Cloudlet that runs on a port."""
    file = _opened(port)
    if file is None:
        return None
    with file:
        return msgspec.json.decode(file.read(), type=Instance) if _is_held(file) else None


def found() -> list[Instance]:
    """Return the Cloudlets that run as this user."""
    ports = (int(file.stem) for file in get_runtime_folder().glob("*.json") if file.stem.isdecimal())
    return [running for running in map(find, sorted(ports)) if running is not None]


def stop(running: Instance, patience: float) -> bool:
    """Have a Cloudlet stop; return whether its process has ended within so many seconds."""
    file = _opened(running.port)
    if file is None:
        return True
    with file:
        with suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while _is_held(file):
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
    return True


def _opened(port: int) -> BinaryIO | None:
    try:
        return (get_runtime_folder() / f"{port}.json").open("rb")
    except FileNotFoundError:
        return None


def _is_held(file: BinaryIO) -> bool:
    """Whether the process that has written a file is there."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
