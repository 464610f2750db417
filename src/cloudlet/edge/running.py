"""Which Cloudlets run on this machine: a file a port, readable by its owner alone."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec


class Running(msgspec.Struct, frozen=True):
    """A Cloudlet that runs, or was killed before it could say that it does not any more."""

    pid: int
    port: int
    endpoint: str
    data: str
    admin_token: str
    blocks: dict[str, str] = {}
    """The URLs of blocks that clients can reach directly, by name."""
    xray_daemon: str | None = None
    """The address at which it is X-Ray's daemon, if it is."""
    authority: str | None = None
    """The file of the certificate authority that clients are to trust, where it listens with TLS."""

    def alive(self) -> bool:
        """Whether its process is there."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def _folder() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base) / "cloudlet" if base else Path(tempfile.gettempdir()) / f"cloudlet-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise PermissionError(f"{folder} must belong to this user alone")
    return folder


@contextmanager
def announced(running: Running) -> Iterator[None]:
    """Have it written down that a Cloudlet runs."""
    file = _folder() / f"{running.port}.json"
    fresh = file.with_suffix(f".{running.pid}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(msgspec.json.encode(running))
    fresh.rename(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find(port: int) -> Running | None:
    """Return the Cloudlet that runs on a port."""
    try:
        running = msgspec.json.decode((_folder() / f"{port}.json").read_bytes(), type=Running)
    except FileNotFoundError:
        return None
    return running if running.alive() else None
