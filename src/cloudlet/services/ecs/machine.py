"""The size of this machine."""

from __future__ import annotations

import os
from typing import Final

_CPU_OF_CORE: Final = 1024


def measure_cpu() -> int:
    """Return the machine's CPU units."""
    return len(os.sched_getaffinity(0)) * _CPU_OF_CORE


def measure_memory() -> int:
    """Return the machine's memory in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
