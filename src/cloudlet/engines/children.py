"""Child processes: programs that run beside Cloudlet.

They are not started by the event loop. To start one, uvloop forks as the interpreter does, which in the child drops
what other threads have for themselves; where that takes a lock that one of them held just then, the child waits for
ever, and the event loop for the child. `subprocess` has nothing of the interpreter run between fork and exec, and
copies no tables of memory: the event loop stands still for 0.4 ms instead of 16.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Sequence
from socket import socketpair
from typing import Any


def watch(process: subprocess.Popen[bytes], ended: Callable[[], None]) -> None:
    """Call `ended` in the event loop once a process has ended, while no other can have its number. Raises OSError."""
    loop = asyncio.get_running_loop()
    watched = os.pidfd_open(process.pid)

    def told() -> None:
        loop.remove_reader(watched)
        os.close(watched)
        ended()

    loop.add_reader(watched, told)


class Child:
    """A process that was started. Used from one event loop."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        """Start a program; `options` are those of `subprocess.Popen`. Raises OSError."""
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._process = subprocess.Popen(command, **options)
        self.pid = self._process.pid
        try:
            watch(self._process, self._has_ended)
        except OSError:
            self._process.kill()
            self._reap()
            raise

    @property
    def status(self) -> int | None:
        """Its exit status (-9 where it was killed by signal 9), None as long as it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Return its exit status once it has ended."""
        return await asyncio.shield(self._ended)

    def terminate(self) -> None:
        """Ask it to end, unless it has."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once, unless it has ended."""
        self._process.kill()

    def _has_ended(self) -> None:
        self._ended.set_result(self._reap())

    def _reap(self) -> int:
        if self._process.stdin is not None:
            self._process.stdin.close()
        return self._process.wait()


async def start_piped(command: Sequence[str]) -> tuple[Child, StreamReader, StreamWriter]:
    """Start a program, and return it with what it writes to its standard output and where to write to its input.

    Both are one socket, which is there until the writer is closed; that the program has ended may show as a
    ConnectionError. What it writes to its standard error is dropped. Raises OSError.
    """
    ours, its = socketpair()
    with its:
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            return Child(command, stdin=its, stdout=its, stderr=subprocess.DEVNULL), reader, writer
        except OSError:
            writer.close()
            raise
