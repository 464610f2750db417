"""Programs in sandboxes, from their start to their end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from cloudlet.engines.sandbox import Limits, Sandbox, Sandboxes, Spec
from tests.standing import eventually

T = TypeVar("T")
LIMITS = Limits(memory=64 << 20, tmp=16 << 20, cpus=1.0, processes=64)
FORKS = """
import os, time
count = 0
try:
    while count < 200:
        if os.fork() == 0:
            time.sleep(60)
        count += 1
except OSError:
    pass
print(count, flush=True)
"""
"""A program for Python that has as many processes as it can, and no more than 200, and says how many."""


MARKER = f"600.{os.getpid()}"
"""So long sleeps what tests look for: others may run the same test."""


def marked() -> list[bytes]:
    """Return the command lines of processes that are to become what sleeps so long, or have."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(file.read_bytes())
    return [line for line in lines if MARKER.encode() in line]


@dataclass
class Run:
    """How a program has ended, and what it has printed."""

    status: int
    printed: str


@dataclass
class Machine:
    """Runs programs in sandboxes, and what else a test does meanwhile."""

    sandboxes: Sandboxes

    @asynccontextmanager
    async def started(self, *command: str, **spec: Any) -> AsyncIterator[tuple[Sandbox, Callable[[], Awaitable[str]]]]:
        """A program that runs during the `with` block, and what waits for its output and returns it."""
        reading, writing = os.pipe()
        try:
            sandbox = await self.sandboxes.start(Spec(command, **{"limits": LIMITS, **spec}), writing)
        finally:
            os.close(writing)

        async def printed() -> str:
            return await asyncio.to_thread(_read, reading)

        try:
            yield sandbox, printed
        finally:
            await sandbox.close()
            os.close(reading)

    async def run(self, *command: str, **spec: Any) -> Run:
        """Run a program to its end."""
        async with self.started(*command, **spec) as (sandbox, printed):
            text = await printed()
            return Run(await sandbox.ended, text)

    async def shell(self, script: str, **spec: Any) -> Run:
        """Run a script of the shell to its end."""
        return await self.run("sh", "-c", script, **spec)


async def killed_at_any_time(machine: Machine) -> None:
    """Bubblewrap is killed while it makes a namespace, too, when what is in that does not depend on it yet."""
    for delay in range(80):
        sandbox = await machine.sandboxes.start(Spec(["sleep", MARKER], LIMITS))
        await asyncio.sleep(delay * 0.0001)
        sandbox.kill()
        await sandbox.ended
        await asyncio.to_thread(eventually, marked, lambda found: not found)
        await sandbox.close()


def _read(descriptor: int) -> str:
    parts = []
    while part := os.read(descriptor, 1 << 16):
        parts.append(part)
    return b"".join(parts).decode()


Scenario = Callable[[Machine], Coroutine[Any, Any, T]]


@pytest.fixture
def in_sandboxes() -> Callable[[Scenario[Any]], Any]:
    """Run a scenario with a machine."""

    def run(scenario: Scenario[Any]) -> Any:
        async def main() -> Any:
            machine = Machine(Sandboxes())
            try:
                return await scenario(machine)
            finally:
                await machine.sandboxes.close()

        return uvloop.run(main())

    return run
