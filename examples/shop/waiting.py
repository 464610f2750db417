"""The demo waits for what others do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE_SECONDS = 60

T = TypeVar("T")


def wait(what: str, condition: Callable[[], T]) -> T:
    """Return the first answer of `condition` that is true; give up on the whole demo where that takes too long."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"Gave up after {DEADLINE_SECONDS} seconds waiting for {what}.")
        time.sleep(0.05)
    return answer
