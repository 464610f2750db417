"""The containers that the keeper runs, by names that blocks give them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from cloudlet.engines.children import watch
from cloudlet.engines.containers import entering
from cloudlet.engines.containers.container import Containers, RunningContainer, Spawn
from cloudlet.engines.containers.description import Container
from cloudlet.engines.containers.pipes import PipeReader
from cloudlet.engines.keeper.networks import Networks, UnknownNetwork
from cloudlet.engines.keeper.protocol import OpenFile
from cloudlet.store.eager import spawn

log = logging.getLogger("cloudlet.engines")

MAX_OUTPUT_BYTES: Final = 4096
"""Of what a program prints that was executed."""
_OUTPUT_SECONDS: Final = 1.0
_CHUNK_BYTES: Final = 64 << 10

Tell = Callable[[str, dict[str, Any]], None]
"""A function that tells blocks of an event: its name and its subject."""


class UnknownContainer(LookupError):
    """A container that the keeper does not know."""


class KeptContainers:
    """Containers by name. One that has ended is known until it is forgotten, so that no exit code is lost."""

    def __init__(self, containers: Containers, networks: Networks, tell: Tell) -> None:
        self._containers = containers
        self._networks = networks
        self._tell = tell
        self._running: dict[str, RunningContainer] = {}
        self._starting: set[str] = set()
        self._codes: dict[str, int] = {}
        self._out_of_memory: set[str] = set()
        self._shared: dict[str, tuple[str, int | None]] = {}
        """The network and the namespace of those that are where several interfaces are."""
        self._following: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Remove what keepers have left that were killed."""
        await self._containers.remove_orphans()

    def describe(self) -> dict[str, int | None]:
        """Return the exit codes of containers by name, None for those that run."""
        return {**dict.fromkeys(self._starting | self._running.keys()), **self._codes}

    def list_out_of_memory(self) -> list[str]:
        """Return which of those that have ended took more memory than they may."""
        return sorted(self._out_of_memory)

    async def run(self, name: str, spec: dict[str, Any]) -> bool:
        """Start a container. Return whether it is new. Raises OSError and UnknownNetwork."""
        if name in self._running or name in self._codes or name in self._starting:
            return False
        self._starting.add(name)
        try:
            container = msgspec.convert(spec, Container)
            namespace = self._find_shared(container.network) if container.network else None
            running = await self._containers.start(container, self._find_spawn(container))
        finally:
            self._starting.discard(name)
        self._running[name] = running
        if container.network and not container.interface:
            self._shared[name] = container.network, namespace
        self.end_lost()
        following = spawn(self._follow(name, running))
        self._following.add(following)
        following.add_done_callback(self._following.discard)
        return True

    def end_lost(self) -> None:
        """End containers that share a namespace which their network has no more: they reach nothing."""
        for name, (network, namespace) in self._shared.items():
            if name in self._running and namespace != self._find_shared(network):
                self._running[name].kill()

    def _find_shared(self, network: str) -> int | None:
        """Return the number of the namespace that interfaces of a network share, if any do."""
        try:
            return os.fstat(self._networks.get_namespace(network, "")).st_ino
        except UnknownNetwork:
            return None

    def _find_spawn(self, container: Container) -> Callable[[Spawn], Any]:
        """Return how the container's process is started: in its network, or in the machine's own."""
        if not container.network:
            return asyncio.to_thread
        namespace = self._networks.get_namespace(container.network, container.interface)

        async def start_within(start: Spawn) -> subprocess.Popen[bytes]:
            # The process is in the namespace of the thread that starts it.
            return await asyncio.wrap_future(self._networks.namespaces.run(namespace, start))

        return start_within

    async def _follow(self, name: str, running: RunningContainer) -> None:
        code = await running.ended
        try:
            await running.close()
        except OSError:
            # That it has ended is to be known all the same.
            log.exception("what the container %s has left cannot be removed", name)
        self._codes[name] = code
        del self._running[name]
        self._shared.pop(name, None)
        if running.was_out_of_memory:
            self._out_of_memory.add(name)
        self._tell("container_ended", {"name": name, "code": code, "is_out_of_memory": running.was_out_of_memory})

    async def send_signal(self, name: str, number: int) -> None:
        """Send a signal to the first process of a container. Raises UnknownContainer."""
        self._get(name).send_signal(number)

    async def kill(self, name: str) -> None:
        """End a container at once. Raises UnknownContainer."""
        self._get(name).kill()

    async def forget(self, name: str) -> None:
        """Forget a container that has ended."""
        self._codes.pop(name, None)
        self._out_of_memory.discard(name)

    async def measure(self, names: list[str]) -> dict[str, Any]:
        """Return what containers have taken, by their names. Those that do not run are left out."""
        return {name: msgspec.to_builtins(self._running[name].measure()) for name in names if name in self._running}

    async def execute(self, name: str, command: list[str], seconds: float) -> dict[str, Any]:
        """Run a program in a container, as for a health check. Return its exit code, and the end of what it prints.

        The code is None for one that takes longer than `seconds`, and is ended. Raises OSError and UnknownContainer.
        """
        reading, writing = os.pipe2(os.O_CLOEXEC)
        with PipeReader(reading) as pipe:
            try:
                process = await self._start_within(name, command, subprocess.DEVNULL, writing)
            finally:
                os.close(writing)
            return await _wait(process, pipe, seconds)

    async def open_terminal(self, name: str, command: list[str]) -> OpenFile:
        """Run a program in a container at a terminal, which is returned. Raises OSError and UnknownContainer.

        When the terminal is closed, the program there ends.
        """
        ours, theirs = os.openpty()
        try:
            # The program has a session of its own, which is told when its terminal is closed.
            process = await self._start_within(name, command, theirs, theirs, ["setsid", "--ctty"])
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)

        def reap() -> None:
            process.wait()

        watch(process, reap)
        return OpenFile(ours)

    async def _start_within(
        self, name: str, command: list[str], given: int, output: int, before: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        running = self._get(name)

        def start() -> subprocess.Popen[bytes]:
            first = running.first.fileno()
            entry = os.memfd_create("cloudlet")
            try:
                os.write(entry, running.write_entry(command))
                os.lseek(entry, 0, os.SEEK_SET)
                # What it starts ends with it: all are in one group.
                return subprocess.Popen(
                    [*before, sys.executable, "-I", "-S", entering.__file__, str(entry), str(first)],
                    stdin=given,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    pass_fds=(entry, first),
                    start_new_session=not before,
                )
            finally:
                os.close(entry)

        process: subprocess.Popen[bytes] = await self._find_spawn(running.spec)(start)
        return process

    def _get(self, name: str) -> RunningContainer:
        found = self._running.get(name)
        if found is None:
            raise UnknownContainer(f"no container {name} runs")
        return found

    async def close(self) -> None:
        """End all containers."""
        for each in self._running.values():
            each.kill()
        await asyncio.gather(*self._following)
        await self._containers.close()


async def _wait(process: subprocess.Popen[bytes], pipe: PipeReader, seconds: float) -> dict[str, Any]:
    """Return the exit code of a program, and the end of what it has printed."""
    output = bytearray()
    reading = spawn(_read_end(pipe, output))
    ended = asyncio.get_running_loop().create_future()
    watch(process, partial(ended.set_result, None))
    done, _ = await asyncio.wait([ended], timeout=seconds)
    if not done:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await ended
    code = process.wait()
    # What it has started may hold its output open.
    await asyncio.wait([reading], timeout=_OUTPUT_SECONDS)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return {"code": code if done else None, "output": output.decode(errors="replace")}


async def _read_end(pipe: PipeReader, output: bytearray) -> None:
    while chunk := await pipe.read(_CHUNK_BYTES):
        output += chunk
        del output[:-MAX_OUTPUT_BYTES]
