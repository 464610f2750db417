"""A container that runs: started, signalled, entered, and what is left when it has ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from cloudlet.engines.children import watch
from cloudlet.engines.containers import command, entering, network_counters, users
from cloudlet.engines.containers.description import CAPABILITIES, Container
from cloudlet.engines.containers.first_process import FirstProcess
from cloudlet.engines.containers.output import LogFile, NowFunction, Pump
from cloudlet.engines.containers.pipes import PipeReader
from cloudlet.engines.containers.shelf import Shelf
from cloudlet.engines.sandbox import cgroups, privileges, seccomp
from cloudlet.engines.sandbox.limits import Limits

Spawn = Callable[[], "subprocess.Popen[bytes]"]
SpawnIn = Callable[[Spawn], Awaitable["subprocess.Popen[bytes]"]]
"""A function that starts a process by another one, in some network namespace."""

_ENTER: Final = 'for group in $GROUPS_ENTERED; do echo 0 > "$group"; done; unset GROUPS_ENTERED; exec "$@"'
_MAX_SHARED_PROCESSES: Final = 32_768
_STATUS_BYTES: Final = 4096
_START_SECONDS: Final = 60.0
_GONE_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.001
_MAX_PAUSE_SECONDS: Final = 0.02


class ContainerError(OSError):
    """A container cannot be started; the text says why."""


class Usage(msgspec.Struct, frozen=True):
    """The bytes of memory and seconds of processors that programs have taken.

    They are None where they are not counted.
    """

    memory_bytes: int | None
    processor_seconds: float | None
    networks: dict[str, dict[str, int]] = {}
    """The counters of each interface of its network; none in the machine's own."""


class _Status(msgspec.Struct):
    child_pid: int = msgspec.field(name="child-pid", default=0)


class Containers:
    """The starter of containers, one for a process; used from its event loop."""

    def __init__(self, now: NowFunction, shelf: Shelf | None = None) -> None:
        """`now` tells the time of what containers print.

        `shelf` is needed where they have users of their own.
        """
        self._now = now
        self._shelf = shelf
        self._groups = cgroups.find(f"cloudlet-{os.getpid()}", counts_processors=True)
        self._filter = seccomp.program(allows_chroot=True)
        self._started = 0

    @property
    def missing_limits(self) -> list[str]:
        """The controllers of control groups that cannot be used: those limits do not bind."""
        return self._groups.missing

    async def remove_orphans(self) -> None:
        """Remove the control groups that processes which are no more have left."""
        await asyncio.to_thread(self._groups.remove_orphans)

    async def start(self, spec: Container, spawn: SpawnIn) -> RunningContainer:
        """Start a container. Raises ContainerError."""
        self._started += 1
        name = f"container-{self._started}"
        shared = spec.shared_limits
        around: cgroups.Group | None = None
        if shared is not None:
            around = self._groups.open_shared(f"shared-{shared.name}")
            name = f"shared-{shared.name}/{name}"
        group = self._groups.create(name)
        try:
            if around is not None and shared is not None:
                around.limit(Limits(shared.memory_bytes, 0, shared.cpus, _MAX_SHARED_PROCESSES))
            # The kernel refuses a quota of processors that is larger than the one around it.
            cpus = spec.cpus if shared is None else min(spec.cpus, shared.cpus)
            group.limit(Limits(spec.memory_bytes, 0, cpus, spec.processes))
            group.share_processors(spec.cpu_shares)
            return await self._start(spec, spawn, group, around)
        except (OSError, ValueError) as error:
            group.remove()
            if around is not None:
                around.remove()
            raise ContainerError(f"the container cannot be started: {error}") from error

    async def _start(
        self, spec: Container, spawn: SpawnIn, group: cgroups.Group, around: cgroups.Group | None
    ) -> RunningContainer:
        await asyncio.to_thread(command.prepare_scratch, spec)
        handed = _Handover(self._shelf)
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        try:
            try:
                if users.have_ranges():
                    for _, writing in pipes[:2]:
                        # Its program may open /dev/stdout, whoever its user is.
                        os.fchown(writing, users.to_machine(spec.user), users.to_machine(spec.group))
                arguments = await asyncio.to_thread(self._write_command, spec, handed, pipes[2][1])
                process = await spawn(lambda: _spawn(arguments, handed.opened, pipes, group))
            except BaseException:
                for reading, _ in pipes:
                    os.close(reading)
                raise
            finally:
                for _, writing in pipes:
                    os.close(writing)
            log = LogFile(Path(spec.log), spec.max_log_bytes)
            running = RunningContainer(spec, process, group, log, self._filter, around)
            running.pumps = [
                Pump(pipes[0][0], "stdout", log, self._now),
                Pump(pipes[1][0], "stderr", log, self._now),
            ]
            try:
                await running.find_program(pipes[2][0])
            except BaseException:
                # Nothing of it is to go on.
                await running.close()
                raise
            return running
        finally:
            handed.close()

    def _write_command(self, spec: Container, handed: _Handover, status: int) -> list[str]:
        filtered = None if self._filter is None else handed.keep(self._filter)
        has_memory_limit = "memory" not in self.missing_limits
        options = command.write_options(spec, handed, filtered, has_memory_limit=has_memory_limit)
        words = ["--json-status-fd", str(status), *options]
        return command.write_command(spec, handed.keep(b"".join(_encode_option(word) for word in words)))

    async def close(self) -> None:
        """Remove the control groups; containers have been closed before."""
        await _retry(self._groups.close)
        if self._shelf is not None:
            self._shelf.close()


class _Handover:
    """Descriptors and names for a program that starts, listed as they are opened."""

    def __init__(self, shelf: Shelf | None) -> None:
        self.opened: list[int] = []
        self._placed: list[str] = []
        self._shelf = shelf

    def keep(self, content: bytes) -> int:
        """Put a content into a file in memory; return its descriptor."""
        descriptor = os.memfd_create("cloudlet")
        self.opened.append(descriptor)
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def put(self, path: str | Path) -> str:
        """Return a name of a folder or a file that the container's user can reach. Raises OSError."""
        if self._shelf is None:
            return str(path)
        self._placed.append(self._shelf.put(path))
        return self._placed[-1]

    def close(self) -> None:
        """Close what was opened here, and give names up."""
        for descriptor in self.opened:
            os.close(descriptor)
        self.opened.clear()
        if self._shelf is not None:
            self._shelf.take_away(self._placed)


def _encode_option(word: str) -> bytes:
    if "\0" in word:
        raise ValueError("what a program is given has no null characters")
    return word.encode("utf-8", "surrogateescape") + b"\0"


def _spawn(
    arguments: Sequence[str], opened: Sequence[int], pipes: Sequence[tuple[int, int]], group: cgroups.Group
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _ENTER, "sh", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=pipes[0][1],
        stderr=pipes[1][1],
        # Only a shell enters the groups: what is started from there is in them from its first instant.
        env={"GROUPS_ENTERED": " ".join(group.entrances), "PATH": os.environ.get("PATH", os.defpath)},
        cwd="/",
        pass_fds=(*opened, pipes[2][1]),
    )


class RunningContainer:
    """A container that was started. Used from one event loop."""

    def __init__(
        self,
        spec: Container,
        process: subprocess.Popen[bytes],
        group: cgroups.Group,
        log: LogFile,
        filtered: bytes | None,
        around: cgroups.Group | None = None,
    ) -> None:
        """`filtered` is the filter of its system calls.

        `around` is the group that it shares with others.
        """
        self.spec = spec
        self._filter = filtered
        self._around = around
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The exit code, once there is one: of a signal 128 and its number."""
        self.was_out_of_memory = False
        """Whether something in it was killed for the memory that it took. Known at its end."""
        self.pumps: list[Pump] = []
        self._process = process
        self._group = group
        self._log = log
        self._status = -1
        self._first: FirstProcess | None = None
        watch(process, self._end)

    async def find_program(self, status: int) -> None:
        """Learn which process is the container's first one, from bubblewrap's status. Raises ContainerError."""
        # It is open until the end: bubblewrap would fail where nobody can read its last words.
        self._status = status
        async with asyncio.timeout(_START_SECONDS):
            found = await _read_program(PipeReader(status))
        if found:
            self._first = FirstProcess(found, self._process.pid)
            await self._wait_for_surroundings(self._first)
        else:
            code = await self.ended
            await self._wait_for_output()
            said = await asyncio.to_thread(_read_last_line, Path(self.spec.log))
            raise ContainerError(f"the container's surroundings cannot be made (status {code}): {said}")

    async def _wait_for_surroundings(self, first: FirstProcess) -> None:
        """Wait until the first process sees the container's files: only then can others enter it."""
        place = Path(f"/proc/{first.id}/root{privileges.PLACE}")
        pause = _FIRST_PAUSE_SECONDS
        while not self.ended.done() and not _exists(place):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    async def _wait_for_output(self) -> None:
        await asyncio.wait([pump.ended for pump in self.pumps], timeout=_GONE_SECONDS)

    def _end(self) -> None:
        self.was_out_of_memory = self._group.count_memory_kills() > 0
        self._group.kill()
        code = self._process.wait()
        self.ended.set_result(code if code >= 0 else 128 - code)

    @property
    def first(self) -> FirstProcess:
        """The container's first process. Raises ProcessLookupError where it has ended at once."""
        if self._first is None:
            raise ProcessLookupError("the container has ended")
        return self._first

    def send_signal(self, number: int) -> None:
        """Send a signal to the container's program, unless it has ended."""
        if self._first is not None:
            self._first.send_signal(number, has_init=self.spec.has_init)

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        if not self.ended.done():
            if self._first is not None:
                self._first.send_signal(signal.SIGKILL)
            self._process.kill()
            self._group.kill()

    def write_entry(self, words: Sequence[str]) -> bytes:
        """Return what `entering` is told to run a program within the container.

        The program is to be started in the network of the container, which an ordinary user could not enter from there.
        It is given the descriptor of the first process, too.
        """
        spec, has_users = self.spec, users.have_ranges()
        return entering.write(
            self.first.id,
            list(self._group.entrances),
            has_no_network=spec.has_no_network,
            command=[*command.write_setting(spec), *words],
            environment=command.list_variables(spec),
            folder=spec.folder,
            limits=dict(spec.resource_limits),
            capabilities=[CAPABILITIES.index(name) for name in spec.capabilities] if has_users else [],
            users=(spec.user, spec.group, list(spec.groups)) if has_users else None,
            filtered=self._filter or b"",
        )

    def measure(self) -> Usage:
        """Return what its programs have taken, as far as that is counted."""
        networks: dict[str, dict[str, int]] = {}
        if self.spec.network and self._first is not None:
            with suppress(OSError):
                networks = network_counters.read(self._first.id)
        try:
            return Usage(self._group.memory(), self._group.measure_processor(), networks)
        except OSError:
            return Usage(None, None, networks)

    async def close(self) -> None:
        """End it, wait for what it has printed, and remove its control group."""
        self.kill()
        await self.ended
        await self._wait_for_output()
        for pump in self.pumps:
            # There is no room for it on the disk.
            pump.ended.cancel()
        await asyncio.gather(*(pump.ended for pump in self.pumps), return_exceptions=True)
        await self._log.close()
        os.close(self._status)
        if self._first is not None:
            self._first.close()
        await _retry(self._group.remove)
        if self._around is not None:
            # It stays as long as others are in it.
            self._around.remove()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _read_last_line(log: Path) -> str:
    """Return the last line that was printed, as it is stored."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _STATUS_BYTES))
            return file.read().decode(errors="replace").rstrip("\n").rpartition("\n")[2]
    except OSError:
        return "it has no log"


async def _read_program(status: PipeReader) -> int:
    """Return the process of which bubblewrap tells first; 0 where it has ended before."""
    said = b""
    while b"\n" not in said and b"}" not in said:
        part = await status.read(_STATUS_BYTES)
        if not part:
            return 0
        said += part
    try:
        return msgspec.json.decode(said.split(b"\n")[0], type=_Status).child_pid
    except msgspec.DecodeError:
        return 0


async def _retry(done: Callable[[], bool]) -> None:
    """Try again, for a while, what works once the kernel has cleaned up."""
    pause = _FIRST_PAUSE_SECONDS
    while not done() and pause < _GONE_SECONDS / 2:
        await asyncio.sleep(pause)
        pause *= 2
