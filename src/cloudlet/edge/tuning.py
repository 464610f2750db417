"""What a process that serves asks of the system and of Python."""

from __future__ import annotations

import gc
import resource
import sys


def tune() -> None:
    """Have as many files open as the system allows, and spare the collector what was loaded so far."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    sys.setswitchinterval(0.001)
