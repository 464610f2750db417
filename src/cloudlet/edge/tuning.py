"""What a process that serves asks of the system and of Python."""

from __future__ import annotations

import gc
import resource
import sys

_KEPT_PART = 4
_KEPT_AT_LEAST = 160
"""So many files, or that part of all that may be open, are not for connections: stores that cannot open theirs fail."""


def compute_max_connections() -> int:
    """Return how many clients may be connected, by the number of files that the system lets be open."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if most == resource.RLIM_INFINITY else max(most - max(most // _KEPT_PART, _KEPT_AT_LEAST), 16)


def tune() -> None:
    """Have as many files open as the system allows, and spare the collector what was loaded so far."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    sys.setswitchinterval(0.001)
