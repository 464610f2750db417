"""Interpreters that wait in sandboxes until they are to become a function.

Their sandbox sees an empty folder where the code is to be; it is filled with links to the files of the function at the
moment when that is known. Functions with layers, or with many files, are started on their own.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import shutil
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from cloudlet.engines.sandbox import Limits, SandboxError, Sandboxes
from cloudlet.services.lambda_.execution.authorities import Trust
from cloudlet.services.lambda_.execution.interpreters import Interpreter
from cloudlet.services.lambda_.execution.networks import Network
from cloudlet.services.lambda_.execution.process import Process

log = logging.getLogger("cloudlet.lambda")

TMP_MB = 512
"""The size of /tmp of what waits here: that of most functions."""
MOST_FILES = 400
"""As many links as this take no longer than a start."""
_LIMITS = Limits(256 << 20, TMP_MB << 20, 1.0)
_UNUSED_SECONDS = 600.0
_TIDY_SECONDS = 10.0
_MOST_WAITING = 4
"""Each takes memory; what this makes faster is measured in docs/decisions/0008-waiting-interpreters.md."""
_IN_A_ROW_SECONDS = 5.0
"""Where one function was started so soon after another, more will be."""


class WarmProcess:
    """A process that waits, and the two folders that it sees."""

    def __init__(self, process: Process, folder: Path) -> None:
        self.process = process
        self.folder = folder

    async def dress(self, code: Path) -> None:
        """Show it the files of a function. Raises OSError."""
        await asyncio.to_thread(link, code, self.folder / "task")

    async def close(self) -> None:
        """End it, and leave nothing of it behind."""
        await self.process.close()
        await asyncio.to_thread(remove, self.folder)


class WarmPool:
    """Keeps interpreters ready of each kind that was wanted of late: one, and more while they are wanted in a row."""

    def __init__(self, sandboxes: Sandboxes, root: Path, trust: Trust) -> None:
        self._sandboxes = sandboxes
        self._root = root
        self._trust = trust
        self._made = 0
        self._kinds: dict[tuple[str, str], _Kind] = {}
        """By runtime, and by the interface of functions in a VPC."""
        self._tidying: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def expect(self, interpreter: Interpreter, network: Network | None = None) -> None:
        """Have one ready: it will be wanted."""
        kind = self._find_kind(interpreter, network)
        kind.wanted_at = asyncio.get_running_loop().time()
        self._fill(kind, interpreter, network)

    def _find_kind(self, interpreter: Interpreter, network: Network | None) -> _Kind:
        return self._kinds.setdefault((interpreter.runtime, "" if network is None else network.interface), _Kind())

    def forget(self, interface: str | None = None) -> None:
        """Keep nothing ready any more at an interface, or at any."""
        for key in [key for key in self._kinds if key[1] and key[1] == (interface or key[1])]:
            for starting in self._kinds.pop(key).waiting:
                self._let_go(starting)

    async def take(self, interpreter: Interpreter, network: Network | None = None) -> WarmProcess | None:
        """Return one that is ready, or is to be so first of all, if there is one; others are made ready behind it."""
        kind = self._find_kind(interpreter, network)
        now = asyncio.get_running_loop().time()
        kind.keeps = min(kind.keeps + 1, _MOST_WAITING) if now - kind.taken_at < _IN_A_ROW_SECONDS else 1
        kind.taken_at = kind.wanted_at = now
        taken = kind.waiting.popleft() if kind.waiting else None
        self._fill(kind, interpreter, network)
        if taken is None:
            return None
        try:
            child = await asyncio.shield(taken)
        except asyncio.CancelledError:
            # Who wanted it has gone; it is still good for the next one.
            kind.waiting.appendleft(taken)
            raise
        if child is not None and (child.process.lost or child.process.is_cut_off):
            self._let_go(taken)
            return None
        return child

    def _fill(self, kind: _Kind, interpreter: Interpreter, network: Network | None) -> None:
        loop = asyncio.get_running_loop()
        while len(kind.waiting) < kind.keeps:
            if network is not None:
                # It is there until the process is.
                network.enter()
            kind.waiting.append(loop.create_task(self._start(interpreter, network)))
        if self._tidying is None:
            self._tidying = loop.call_later(_TIDY_SECONDS, self._tidy)

    def _tidy(self) -> None:
        """End those that were not wanted for a while."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for key, kind in list(self._kinds.items()):
            if now - kind.taken_at > _IN_A_ROW_SECONDS:
                kind.keeps = 1
            if now - kind.wanted_at > _UNUSED_SECONDS:
                kind.keeps = 0
                del self._kinds[key]
            while len(kind.waiting) > kind.keeps:
                self._let_go(kind.waiting.popleft())
        self._tidying = loop.call_later(_TIDY_SECONDS, self._tidy) if self._kinds else None

    def _let_go(self, starting: asyncio.Task[WarmProcess | None]) -> None:
        ending = asyncio.get_running_loop().create_task(_end(starting))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End all."""
        if self._tidying is not None:
            self._tidying.cancel()
        waiting = [task for kind in self._kinds.values() for task in kind.waiting]
        self._kinds.clear()
        # What is being started is waited for: to break off would leave a process behind.
        await asyncio.gather(*(_end(task) for task in waiting), *self._ending)

    async def _start(self, interpreter: Interpreter, network: Network | None) -> WarmProcess | None:
        self._made += 1
        folder = self._root / f"{self._made}"
        try:
            await asyncio.to_thread(_make, folder)
            process = await Process.start(
                self._sandboxes,
                interpreter,
                _LIMITS,
                task=folder / "task",
                layers=folder / "layers",
                trusted=await self._trust.made(),
                waits=True,
                network=network,
            )
        except (SandboxError, OSError) as error:
            log.warning("no %s could be started in advance: %s", interpreter.runtime, error)
            return None
        finally:
            if network is not None:
                network.leave()
        return WarmProcess(process, folder)


@dataclass(slots=True)
class _Kind:
    """What waits for one runtime."""

    waiting: deque[asyncio.Task[WarmProcess | None]] = field(default_factory=deque)
    """The first is the one that was started first."""
    keeps: int = 1
    wanted_at: float = -math.inf
    """By the event loop's clock, as is `taken_at`."""
    taken_at: float = -math.inf


async def _end(starting: asyncio.Task[WarmProcess | None]) -> None:
    """End one that is waiting, or was to be."""
    await asyncio.wait([starting])
    child = None if starting.cancelled() else starting.result()
    if child is not None:
        await child.close()


def _make(folder: Path) -> None:
    for name in ("task", "layers"):
        (folder / name).mkdir(parents=True)
        (folder / name).chmod(0o755)


def count(folder: Path, most: int) -> int:
    """Return how many files are below a folder, or some number above `most`."""
    found = 0
    for _, folders, files in os.walk(folder):
        found += len(files) + len(folders)
        if found > most:
            break
    return found


def link(source: Path, target: Path) -> None:
    """Make a folder the same as another one, its files being the same files; what is there already stays."""
    for entry in os.scandir(source):
        path = target / entry.name
        if not entry.is_dir(follow_symlinks=False):
            _link_file(entry.path, path)
            continue
        if not path.is_dir():
            path.mkdir()
            path.chmod(0o755)
        link(Path(entry.path), path)


def _link_file(source: str, target: Path) -> None:
    target.unlink(missing_ok=True)
    os.link(source, target, follow_symlinks=False)


def remove(folder: Path) -> None:
    """Remove a folder that a process has seen."""
    shutil.rmtree(folder, ignore_errors=True)
