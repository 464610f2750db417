"""What is told of each block: where it runs and what it takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from cloudlet.core.kernel.cloud import Cloud


class BlockStatus(msgspec.Struct, frozen=True):
    """A block as `cloudlet status` shows it. `memory` (resident) and `data` are in bytes, None where unknown.

    `ended` says how its last process ended that was not told to.
    """

    name: str
    state: str
    process: int | None = None
    port: int | None = None
    restarts: int = 0
    memory: int | None = None
    data: int | None = None
    ended: str | None = None


def memory_of(process: int) -> int | None:
    """Return the resident memory of a process in bytes; None where the system does not tell."""
    with suppress(OSError):
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return None


class OneProcess:
    """All blocks of a Cloudlet that runs in this process."""

    def __init__(self, cloud: Cloud, port: int) -> None:
        self._cloud = cloud
        self._port = port

    def states(self) -> dict[str, str]:
        """Return each block's state."""
        return self._cloud.states()

    async def are_ready(self) -> bool:
        """Whether the blocks in use have their data, and may write."""
        return all(block.store.is_available for block in self._cloud.running().values())

    async def reports(self) -> list[BlockStatus]:
        """Return how each block is; memory is that of the whole process."""
        process = os.getpid()
        memory = memory_of(process)
        running = self._cloud.running()
        return [
            BlockStatus(name, state, process, self._port, 0, memory, running[name].store.size())
            if name in running
            else BlockStatus(name, state)
            for name, state in self._cloud.states().items()
        ]

    async def stopped(self, change: Callable[[], None]) -> None:
        """Run `change` on the data folder while no block is running, then go on."""
        await self._cloud.run_while_stopped(change)
