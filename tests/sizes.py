"""How much is tried of what could be tried for ever: a part of it in each run, all with CLOUDLET_TEST_SIZE=nightly.

With `small` it is less, for what is tried in another way as well.
"""

from __future__ import annotations

import os

_SIZE = os.environ.get("CLOUDLET_TEST_SIZE")
NIGHTLY = _SIZE == "nightly"


def examples(nightly: int) -> int:
    """How many examples of a property are tried."""
    return nightly if NIGHTLY else max(5, nightly // (8 if _SIZE == "small" else 4))
