"""What the processes of a sandbox have, as the system tells it (proc(5))."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def has_socket(process: int, inode: int) -> bool:
    """Whether a process, or one that descends from it, has a socket."""
    wanted = f"socket:[{inode}]"
    for member in family(process):
        with suppress(OSError):
            for descriptor in (_PROC / str(member) / "fd").iterdir():
                with suppress(OSError):
                    if str(descriptor.readlink()) == wanted:
                        return True
    return False


def memory(process: int, tmp: int) -> int:
    """Return the bytes that a process, and those that descend from it, hold together.

    Memory that is shared counts once, as far as it is more than `tmp`: it may be files in /tmp. What a process has of
    its parent, and neither has written to since, counts for both.
    """
    own = shared = 0
    for member in family(process):
        with suppress(OSError):
            for line in (_PROC / str(member) / "status").read_bytes().splitlines():
                if line.startswith(b"RssAnon:"):
                    own += int(line.split()[1]) << 10
                elif line.startswith(b"RssShmem:"):
                    shared = max(shared, int(line.split()[1]) << 10)
    return own + max(0, shared - tmp)


def exists(process: int) -> bool:
    """Whether there is such a process."""
    return (_PROC / str(process)).exists()


def family(process: int) -> list[int]:
    """Return a process and those that descend from it."""
    if (_PROC / "self" / "task" / str(os.getpid()) / "children").exists():
        found = [process]
        for member in found:
            found += _children(member)
        return found
    return _found_among_all(process)


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
