"""Whose a connection is, as the system tells it (proc(5))."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_LOOPBACK = "0100007F"


def inode_of(port: int, far: int) -> str | None:
    """Return the inode of the socket that connects a port of 127.0.0.1 with another one; None where none is seen."""
    # A port may be the near end of several, to other ports, and of some that are closed, which have no inode.
    ends = [f"{_LOOPBACK}:{port:04X}", f"{_LOOPBACK}:{far:04X}"]
    for line in (_PROC / "net" / "tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == ends and fields[9] != "0":
            return fields[9]
    return None


def has_socket(process: int, inode: str) -> bool:
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
