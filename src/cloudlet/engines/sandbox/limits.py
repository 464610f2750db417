"""How much a sandbox may take."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """What a sandbox may have at once. How far that holds without control groups, `Sandboxes.weaknesses` says."""

    memory: int
    """In bytes, of what its programs hold; what is in `/tmp` is counted apart."""
    tmp: int
    """In bytes: the size of `/tmp`."""
    cpus: float
    """In processors: 0.5 is half the time of one."""
    processes: int = 1024
    """Processes and threads."""
    files: int = 1024
    """Open files, of each process."""
