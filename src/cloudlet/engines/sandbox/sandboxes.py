"""Programs running in sandboxes."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from cloudlet.engines.children import watch
from cloudlet.engines.sandbox import bubblewrap, cgroups, privileges, processes, rlimits, seccomp, socket_owners
from cloudlet.engines.sandbox.limits import Limits
from cloudlet.engines.sandbox.rlimits import Rlimits
from cloudlet.engines.sandbox.socket_owners import End
from cloudlet.engines.sandbox.spec import Spec
from cloudlet.engines.sandbox.views import View

log = logging.getLogger("cloudlet.engines")

Kind = Literal["bubblewrap", "none"]

_FIRST_USER = 1_600_000_000
"""The ids from here on are of no users of the machine: below are those of people and of containers."""
_USERS = 1_000_000_000
_FIRST_ADDRESS, _ADDRESSES = 1 << 23, (1 << 23) - (1 << 16)
"""Of those that begin with 127, which are all this machine's: the upper half, since others are of endpoints."""
_NUMBERS_OF_A_PROCESS = 4099
"""As far as that are its sandboxes' users and addresses from those of another Cloudlet."""
_ENTER = """
for group in $GROUPS_ENTERED; do echo 0 > "$group"; done
unset GROUPS_ENTERED
ulimit -c 0
ulimit -n "$0"
exec "$@"
"""
_PROBE = Spec(["true"], Limits(64 << 20, 1 << 20, 1.0))
_FEW_PROCESSES = Spec(["/bin/sh", "-c", "true & wait $!"], _PROBE.limits._replace(processes=3))
"""It has as many with bubblewrap's own: it fails where this process and others of its user are counted, too."""
_PROBE_SECONDS = 20
_GONE_SECONDS = 5.0


class SandboxError(Exception):
    """A program cannot be run; the text says why and what to do."""


class Sandboxes:
    """Starts programs in sandboxes. One for a process; used from its event loop."""

    def __init__(self, kind: Kind = "bubblewrap", folder: Path | None = None) -> None:
        """`folder` is for what programs find that run without a sandbox; None: one that is removed in the end."""
        self.kind = kind
        self._folder = folder
        self._own_folder: TemporaryDirectory[str] | None = None
        if kind == "none" and folder is None:
            self._own_folder = TemporaryDirectory(prefix="cloudlet-")
            self._folder = Path(self._own_folder.name)
        self._cgroups = cgroups.find(f"cloudlet-{os.getpid()}")
        self._seccomp = seccomp.program()
        self._rlimits = Rlimits(memory="memory" in self._cgroups.missing, processes=False)
        self._started = 0
        self._usable: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Future[None]] = set()
        """What was started for somebody who has gone."""

    @property
    def weaknesses(self) -> list[str]:
        """What of the usual protection this machine does not give, in words."""
        found = [self._without(name) for name in self._cgroups.missing]
        if not self._cgroups.freezes:
            found.append("no freezer: what has nothing to do is not halted")
        if self._seccomp is None:
            found.append("system calls are not filtered on this kind of machine")
        if self.kind == "none":
            found.append("programs see and may do what Cloudlet itself may (--sandbox none)")
        return found

    def _without(self, controller: str) -> str:
        """Say what holds where a controller is missing."""
        if controller == "memory":
            return (
                "no memory controller: memory is limited for each process, not for all of them together, and each may "
                f"have {rlimits.RESERVED >> 20} MiB more than the limit; what is shared is not limited"
            )
        if controller == "pids" and self._rlimits.processes:
            return "no pids controller: the number of processes is limited by user, and each sandbox has its own"
        if controller == "pids":
            return "no pids controller: the number of processes is not limited, since it is counted by user here"
        return f"no {controller} controller: how much of the processor is used is not limited"

    async def start(self, spec: Spec, output: int | None = None, errors: int | None = None) -> Sandbox:
        """Start a program; what it prints goes to a descriptor, if one is given, or two. Raises SandboxError."""
        await self._probed()
        starting = asyncio.ensure_future(self._start(spec, output, output if errors is None else errors))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # It may run already, and would go on.
            ending = asyncio.ensure_future(_end(starting))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            await asyncio.shield(ending)
            raise

    async def _probed(self) -> None:
        """Find out, once, whether programs can be run. Raises SandboxError."""
        if self._usable is None:
            self._usable = asyncio.get_running_loop().create_task(self._find_out())
        # Whoever asked first may go: others wait for it too.
        await asyncio.shield(self._usable)

    async def _find_out(self) -> None:
        await self._probe()
        await self._probe_processes()
        for weakness in self.weaknesses:
            log.warning("sandboxes are weaker here: %s", weakness)

    async def _probe(self) -> None:
        if self.kind == "none":
            return
        if os.geteuid() == 0 and shutil.which("setpriv") is None:
            raise SandboxError("to run programs as root Cloudlet needs setpriv (Debian: apt install util-linux)")
        reading, writing = os.pipe()
        try:
            sandbox = await self._start(_PROBE, writing, writing)
        finally:
            os.close(writing)
        try:
            status = await asyncio.wait_for(sandbox.ended, _PROBE_SECONDS)
            said = "" if status == 0 else os.read(reading, 1000).decode(errors="replace").strip()
        finally:
            await sandbox.close()
            os.close(reading)
        if status != 0:
            raise SandboxError(
                f"this machine lets no sandbox be made ({said or f'status {status}'}): allow unprivileged user "
                "namespaces (sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu "
                "kernel.apparmor_restrict_unprivileged_userns=0), run Cloudlet as root, or start it with --sandbox "
                "none, which runs code without protection"
            )

    async def _probe_processes(self) -> None:
        """Find out whether processes are counted for each sandbox, if that is how they would be limited."""
        if "pids" not in self._cgroups.missing or self.kind == "none":
            return
        self._rlimits = self._rlimits._replace(processes=True)
        sandbox = await self._start(_FEW_PROCESSES, None, None)
        try:
            status = await asyncio.wait_for(sandbox.ended, _PROBE_SECONDS)
        finally:
            await sandbox.close()
        self._rlimits = self._rlimits._replace(processes=status == 0)

    async def _start(self, spec: Spec, output: int | None, errors: int | None) -> Sandbox:
        if spec.root is not None and self.kind == "none":
            raise SandboxError("what has a root of its own, as images have, runs in sandboxes only (--sandbox none)")
        if spec.network is not None and self.kind == "none":
            raise SandboxError("what is in a VPC runs in sandboxes only (--sandbox none)")
        self._started += 1
        group = self._cgroups.create(f"sandbox-{self._started}")
        user = None
        if os.geteuid() == 0 and self.kind != "none":
            user = _FIRST_USER + _allocate_user(self._started, _USERS)
        view, address = None, _address(self._started)
        if self.kind == "none" and self._folder is not None:
            view, address = View(self._folder / f"{self._started}", spec.mounts), "127.0.0.1"
        try:
            group.limit(spec.limits)
            process = await asyncio.to_thread(self._spawn, spec, group, user, view, address, (output, errors))
        except (OSError, ValueError) as error:
            # The latter is said of text that no program can be given.
            group.remove()
            raise SandboxError(f"the sandbox cannot be started: {error}") from error
        return Sandbox(process, group, self._rlimits, user, address, spec.limits, view, spec.network is not None)

    def _spawn(
        self,
        spec: Spec,
        group: cgroups.Group,
        user: int | None,
        view: View | None,
        address: str,
        printed: tuple[int | None, int | None],
    ) -> subprocess.Popen[bytes]:
        opened: list[int] = []
        output, errors = printed
        try:
            limited = self._rlimits.options(spec.limits, memory=not spec.waits)
            if view is not None:
                view.make()
                run = [view.translated(word) for word in spec.command]
                run = [*privileges.make_drop_command(None, limited, {}, own_root=False), *run]
                environment = {name: view.translated(value) for name, value in spec.environment.items()}
                folder = spec.folder
            else:
                filtered = None if self._seccomp is None else _memory(self._seccomp, opened)
                contents = bubblewrap.list_files(spec, user, address)
                files = {path: _memory(content, opened) for path, content in contents.items()}
                words = bubblewrap.options(spec, user=user, limited=limited, files=files, seccomp=filtered)
                options = _memory(b"".join(_option(word) for word in words), opened)
                run = bubblewrap.command(spec, user=user, limited=limited, options=options)
                environment, folder = {}, "/"
            # Only a shell enters the groups: what is started from there is in them from its first instant.
            environment |= {"GROUPS_ENTERED": " ".join(group.entrances)}
            return subprocess.Popen(
                ["/bin/sh", "-c", _ENTER, str(spec.limits.files), *run],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if output is None else output,
                stderr=subprocess.DEVNULL if errors is None else errors,
                env=environment,
                cwd=folder,
                pass_fds=(*spec.descriptors, *opened),
                # What has no namespace of its own ends with its group of processes.
                start_new_session=view is not None,
            )
        except (OSError, ValueError):
            if view is not None:
                view.remove()
            raise
        finally:
            for descriptor in opened:
                os.close(descriptor)

    async def tidy(self) -> None:
        """End what was started by processes that are no more, and leave nothing of it behind."""
        await asyncio.to_thread(self._cgroups.remove_orphans)

    async def close(self) -> None:
        """Remove the control groups; what was started has been closed before."""
        if self._usable is not None:
            await asyncio.wait([self._usable])
        if self._ending:
            await asyncio.wait(self._ending)
        await _retry(self._cgroups.close)
        if self._own_folder is not None:
            await asyncio.to_thread(self._own_folder.cleanup)


async def _end(starting: asyncio.Future[Sandbox]) -> None:
    """End what is being started."""
    await asyncio.wait([starting])
    if starting.exception() is None:
        await starting.result().close()


def _allocate_user(number: int, most: int) -> int:
    """Return a number below another one that no sandbox of another Cloudlet has, as good as certainly."""
    return (os.getpid() * _NUMBERS_OF_A_PROCESS + number) % most


def _address(number: int) -> str:
    """Return an address of this machine that no other sandbox has, as good as certainly: they share its ports."""
    own = _allocate_user(number, _ADDRESSES) + _FIRST_ADDRESS
    return f"127.{own >> 16}.{own >> 8 & 255}.{own & 255}"


def _option(word: str) -> bytes:
    """Return a word as one of a list that null characters divide. Raises OSError where there is one in it."""
    if "\0" in word:
        raise OSError("what a program is given has no null characters")
    return word.encode("utf-8", "surrogateescape") + b"\0"


def _memory(content: bytes, opened: list[int]) -> int:
    """Return the descriptor of a file in memory, to be read from its beginning."""
    descriptor = os.memfd_create("cloudlet")
    opened.append(descriptor)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class Sandbox:
    """One running program, with all that it starts."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        group: cgroups.Group,
        limited: Rlimits,
        user: int | None,
        address: str,
        limits: Limits,
        view: View | None,
        is_apart: bool,
    ) -> None:
        """`is_apart`: it is in a network of its own."""
        self.user = user
        """By which user of the machine it is run; None where that is Cloudlet's own."""
        self.address = address
        """By which it knows itself, as sandbox.localdomain; where a sandbox is none, that is everybody's."""
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """Its exit status, once it has ended: -9 where it was killed by signal 9."""
        self.limits = limits
        self._process = process
        self._group = group
        self._limited = limited
        self._view = view
        self._sockets = f"/proc/{process.pid}/net" if is_apart else None
        self._frozen = False
        self._ticks = 0
        """Of processor time that it had had when that was last looked at."""
        watch(process, self._has_ended)

    def translated(self, text: str) -> str:
        """Return a text for its program, in which what it sees is named by where that is for it."""
        return text if self._view is None else self._view.translated(text)

    async def limit(self, limits: Limits) -> None:
        """Let it take more, or less, from now on; the size of `/tmp` stays. Raises OSError.

        Where control groups are missing, the number of processes stays, too, and an ordinary user can let it take less
        memory, not more.
        """
        before, self.limits = self.limits, limits._replace(tmp=self.limits.tmp)
        self._group.limit(self.limits)
        if self._limited.memory and before.memory != limits.memory:
            await asyncio.to_thread(rlimits.limit_memory, self._process.pid, self.user, self.limits)

    async def memory(self) -> int:
        """Return the bytes that it holds, without what is in `/tmp`; 0 once it has ended."""
        if self._limited.memory:
            return await asyncio.to_thread(processes.memory, self._process.pid, self.limits.tmp)
        try:
            return self._group.memory() or 0
        except OSError:
            return 0

    def has_worked(self) -> bool:
        """Whether it has taken processor time since this was last asked, or would now. Waits for the system."""
        before = self._ticks
        self._ticks, is_busy = processes.work(self._process.pid)
        # What only waits looks at its watch now and then.
        return is_busy or abs(self._ticks - before) > 1

    async def delay(self) -> float:
        """Return how long (s) it was kept waiting for a processor."""
        return await asyncio.to_thread(processes.delay, self._process.pid)

    def has_connection(self, port: int, far: int) -> bool:
        """Whether a TCP connection from a port of 127.0.0.1 to another is one of its programs'. Waits for the system.

        Where the system only has a list of all of them, it may lack one while others come and go: look again.
        """
        inode = socket_owners.connected(End("127.0.0.1", port), End("127.0.0.1", far), self._sockets)
        return inode is not None and processes.has_socket(self._process.pid, inode)

    def listens(self, host: str, port: int) -> bool:
        """Whether it is one of its programs that gets connections to a host and port. Waits for the system."""
        inode = socket_owners.listening(End(host, port), self._sockets)
        return inode is not None and processes.has_socket(self._process.pid, inode)

    def freeze(self) -> None:
        """Halt it where that is possible: it takes no processor time until it is thawed."""
        if not self._frozen and self._group.freezes and not self.ended.done():
            self._group.freeze()
            self._frozen = True

    def thaw(self) -> None:
        """Let it go on."""
        if self._frozen:
            self._frozen = False
            self._group.thaw()

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        if not self.ended.done():
            if self._view is None and not self._group.entrances:
                processes.kill_family(self._process.pid)
            self._kill_all()
            # A process that is halted does not even die.
            with suppress(OSError):
                self.thaw()

    def _kill_all(self) -> None:
        # Until it is waited for, nobody else has its number.
        if self._view is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        # What is in its namespace ends with it once bubblewrap has seen to that; until then it has to be killed, too.
        os.kill(self._process.pid, signal.SIGKILL)
        self._group.kill()

    async def close(self) -> None:
        """End it, and leave nothing of it behind."""
        self.kill()
        await asyncio.wait([self.ended], timeout=_GONE_SECONDS)
        await _retry(self._group.remove)
        if self._view is not None:
            await asyncio.to_thread(self._view.remove)

    def _has_ended(self) -> None:
        self._kill_all()
        status = self._process.wait()
        if not self.ended.done():
            # A shell, and bubblewrap, say of a signal 128 more than its number.
            by_signal = 128 < status < 128 + signal.NSIG
            self.ended.set_result(128 - status if by_signal else status)


async def _retry(done: Callable[[], bool]) -> None:
    """Try again, for a while, what goes once the kernel has cleaned up."""
    pause = 0.001
    while not done() and pause < _GONE_SECONDS / 2:
        await asyncio.sleep(pause)
        pause *= 2
