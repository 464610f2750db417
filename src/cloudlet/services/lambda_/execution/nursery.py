"""Interpreters that wait in sandboxes until they are to become a function.

Their sandbox sees an empty folder where the code is to be; it is filled with links to the files of the function at the
moment when that is known. Functions with layers, or with many files, are started on their own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from pathlib import Path

from cloudlet.engines.sandbox import Limits, SandboxError, Sandboxes
from cloudlet.services.lambda_.execution.authorities import Trust
from cloudlet.services.lambda_.execution.interpreters import Interpreter
from cloudlet.services.lambda_.execution.process import Process

log = logging.getLogger("cloudlet.lambda")

TMP_MB = 512
"""The size of /tmp of what waits here: that of most functions."""
MOST_FILES = 400
"""As many links as this take no longer than a start."""
_LIMITS = Limits(256 << 20, TMP_MB << 20, 1.0)
_UNUSED_SECONDS = 600.0


class Child:
    """A process that waits, and the two folders that it sees."""

    def __init__(self, process: Process, folder: Path) -> None:
        self.process = process
        self.folder = folder

    async def dress(self, code: Path) -> None:
        """Show it the files of a function. Raises OSError."""
        await asyncio.to_thread(link, code, self.folder / "task")


class Nursery:
    """Keeps one interpreter ready of each kind that was wanted of late."""

    def __init__(self, sandboxes: Sandboxes, root: Path, trust: Trust) -> None:
        self._sandboxes = sandboxes
        self._root = root
        self._trust = trust
        self._made = 0
        self._waiting: dict[str, Child] = {}
        self._wanted: dict[str, float] = {}
        """Runtime → when one was last wanted, by the event loop's clock."""
        self._starting: dict[str, asyncio.Task[None]] = {}

    def expect(self, interpreter: Interpreter) -> None:
        """Have one ready: it will be wanted."""
        runtime = interpreter.runtime
        self._wanted[runtime] = asyncio.get_running_loop().time()
        if runtime not in self._waiting and runtime not in self._starting:
            self._starting[runtime] = asyncio.get_running_loop().create_task(self._start(interpreter))

    def take(self, interpreter: Interpreter) -> Child | None:
        """Return one that is ready, if there is one."""
        child = self._waiting.pop(interpreter.runtime, None)
        return None if child is None or child.process.lost else child

    async def tidy(self) -> None:
        """End those that were not wanted for a while."""
        now = asyncio.get_running_loop().time()
        for runtime in [name for name, at in self._wanted.items() if now - at > _UNUSED_SECONDS]:
            del self._wanted[runtime]
            child = self._waiting.pop(runtime, None)
            if child is not None:
                await child.process.close()
                await asyncio.to_thread(remove, child.folder)

    async def close(self) -> None:
        """End all."""
        for task in self._starting.values():
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        await asyncio.gather(*(child.process.close() for child in self._waiting.values()))
        self._waiting.clear()

    async def _start(self, interpreter: Interpreter) -> None:
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
            )
            self._waiting[interpreter.runtime] = Child(process, folder)
        except (SandboxError, OSError) as error:
            log.warning("no %s could be started in advance: %s", interpreter.runtime, error)
        finally:
            del self._starting[interpreter.runtime]


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
