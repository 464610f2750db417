"""What the processes of a sandbox have, as the system tells it (proc(5))."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_STATISTICS = (("smaps_rollup", (b"Pss_Anon", b"Pss_Shmem")), ("status", (b"RssAnon", b"RssShmem")))
"""Files with what a process holds, in KiB, the better one first."""


def has_socket(process: int, inode: int) -> bool:
    """Whether a process, or one that descends from it, has a socket."""
    wanted = f"socket:[{inode}]"
    for member in list_process_tree(process):
        with suppress(OSError):
            for descriptor in (_PROC / str(member) / "fd").iterdir():
                with suppress(OSError):
                    if str(descriptor.readlink()) == wanted:
                        return True
    return False


def memory(process: int, tmp: int) -> int:
    """Return the bytes that a process, and those that descend from it, hold together.

    Memory that is shared counts as far as it is more than `tmp`: it may be files in /tmp.
    """
    held = [_measure_memory(member) for member in list_process_tree(process)]
    return sum(own for own, _ in held) + max(0, sum(shared for _, shared in held) - tmp)


def work(process: int) -> tuple[int, bool]:
    """Return the processor time (ticks) that a process and its descendants have had, and whether one wants more now."""
    ticks, is_busy = 0, False
    for member in list_process_tree(process):
        with suppress(OSError):
            # The name, in parentheses, may have anything in it.
            fields = (_PROC / str(member) / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
            is_busy = is_busy or fields[0] == "R"
    return ticks, is_busy


def delay(process: int) -> float:
    """Return how long (s) a thread of a process, or of its descendants, was kept waiting for a processor at most.

    It is 0 where the kernel does not count that (CONFIG_SCHED_INFO).
    """
    waited = [0]
    for member in list_process_tree(process):
        for file in (_PROC / str(member) / "task").glob("*/schedstat"):
            with suppress(OSError):
                waited.append(int(file.read_bytes().split()[1]))
    return max(waited) / 1e9


def _measure_memory(process: int) -> tuple[int, int]:
    """Return the bytes that a process holds: of its own, and of memory that is shared.

    What several have, each has a part of; where Cloudlet may not see that (as root it needs CAP_SYS_PTRACE, and Linux
    5.9), each has all of it.
    """
    for file, names in _STATISTICS:
        with suppress(OSError):
            lines = (_PROC / str(process) / file).read_bytes().splitlines()
            fields = (line.partition(b":") for line in lines)
            found = {name: int(value.split()[0]) << 10 for name, _, value in fields if name in names}
            if len(found) == len(names):
                own, shared = (found[name] for name in names)
                return own, shared
    return 0, 0


def exists(process: int) -> bool:
    """Whether there is such a process."""
    return (_PROC / str(process)).exists()


def list_process_tree(process: int) -> list[int]:
    """Return a process and those that descend from it."""
    if (_PROC / "self" / "task" / str(os.getpid()) / "children").exists():
        found = [process]
        for member in found:
            found += _children(member)
        return found
    return _found_among_all(process)


def kill_family(process: int) -> None:
    """Kill a child of this process and those that descend from it. Waits for the system."""
    os.kill(process, signal.SIGSTOP)
    # Once it is halted, no more come. It is waited for elsewhere.
    os.waitid(os.P_PID, process, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    for member in list_process_tree(process):
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def _children(process: int) -> Iterator[int]:
    """Give the children of a process, where the kernel lists them (CONFIG_PROC_CHILDREN)."""
    with suppress(OSError):
        for thread in os.listdir(_PROC / str(process) / "task"):  # noqa: PTH208 - names are wanted
            with suppress(OSError):
                yield from map(int, (_PROC / str(process) / "task" / thread / "children").read_bytes().split())


def _found_among_all(process: int) -> list[int]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            # The name, in parentheses, may have anything in it.
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children[parent].append(int(folder.name))
    found = [process]
    for member in found:
        found += children[member]
    return found
