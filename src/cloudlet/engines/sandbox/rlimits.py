"""Limits of each process for itself, where control groups are missing (getrlimit(2), prlimit(1)).

Memory is limited by RLIMIT_DATA, which counts what a process may write to and shares with nobody, touched or not; not
by RLIMIT_AS, since Node.js and others reserve far more addresses than they use. Processes are limited by RLIMIT_NPROC,
which counts all that a user has: it is meant where that user is the sandbox's own, or where the kernel counts them for
each user namespace, as Linux does since 5.14. There is none for a share of the processor.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from cloudlet.engines.sandbox import privileges, processes
from cloudlet.engines.sandbox.limits import Limits

RESERVED = 256 << 20
"""In bytes: what each process may have beyond its limit, since a stack of 8 MiB is taken for each thread, and little of
it is used. Node.js has ten threads when it does nothing."""


class Rlimits(NamedTuple):
    """Which limits are those of processes."""

    memory: bool
    processes: bool

    def options(self, limits: Limits, *, memory: bool) -> Sequence[str]:
        """Return the options of `prlimit` that set them for what it runs; `memory`: that of the memory, too."""
        found = []
        if self.memory and memory:
            found.append(f"--data={_data(limits)}")
        if self.processes:
            found.append(f"--nproc={limits.processes}")
        return found


def limit_memory(process: int, user: int | None, limits: Limits) -> None:
    """Limit the memory of a process and of all that descend from it. Waits for the system.

    `user` is whose they are, where that is not this process's own. Raises OSError, also where an ordinary user would
    raise what was lowered.
    """
    limited: set[int] = set()
    # What is begun after its parent was limited is limited from its beginning.
    while fresh := set(processes.list_process_tree(process)) - limited:
        for member in fresh:
            with suppress(ProcessLookupError):
                _limit(member, user, _data(limits))
        limited |= fresh


def _limit(process: int, user: int | None, data: int) -> None:
    try:
        resource.prlimit(process, resource.RLIMIT_DATA, (data, data))
    except PermissionError:
        if user is None:
            raise
        # Root may do that with CAP_SYS_RESOURCE only, which it has not got in most containers; its owner may, too.
        command = privileges.make_drop_command(user, [f"--pid={process}", f"--data={data}"], {}, own_root=False)
        done = subprocess.run(command, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0 and processes.exists(process):
            raise OSError(f"the memory of a process cannot be limited: {done.stderr.strip()}") from None


def _data(limits: Limits) -> int:
    return limits.memory + RESERVED
