"""Whose a socket is, as the system tells it (proc(5))."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def has_socket(process: int, inode: int) -> bool:
    """Whether a process, or one that descends from it, has a socket."""
    wanted = f"socket:[{inode}]"
    for member in _family(process):
        with suppress(OSError):
            for descriptor in (_PROC / str(member) / "fd").iterdir():
                with suppress(OSError):
                    if str(descriptor.readlink()) == wanted:
                        return True
    return False


def _family(process: int) -> list[int]:
    """Return a process and those that descend from it."""
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
