"""How much is tried of what could be tried for ever: a part of it in each run, all with CLOUDLET_TEST_SIZE=nightly."""

from __future__ import annotations

import os

NIGHTLY = os.environ.get("CLOUDLET_TEST_SIZE") == "nightly"


def examples(nightly: int) -> int:
    """How many examples of a property are tried."""
    return nightly if NIGHTLY else max(5, nightly // 2)
