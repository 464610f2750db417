"""The order of tests: files that take long are spread among all others.

pytest-xdist gives each process a stretch of the list to begin with. One of them would have nearly all that takes long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

_TESTS: Final = Path(__file__).parent
_MAX_WEIGHT: Final = 200
_SLOW: Final = tuple(
    _TESTS / name
    for name in (
        *("cli", "crash", "e2e", "engines", "examples", "isolation", "postgres"),
        *("services/acm", "services/ecs", "services/elbv2", "services/lambda_"),
    )
)
"""The folders whose tests start programs, one or more each."""


def _is_slow(file: Path) -> bool:
    return any(folder in file.parents for folder in _SLOW)


def _weigh(own: Sequence[pytest.Item]) -> int:
    """Return how much a quick file counts. Thousands of tests are cases of one that takes no time."""
    return min(len(own), _MAX_WEIGHT)


def spread(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return tests with those of slow files at equal distances. Those of a file stay together, in their order."""
    files = [(_is_slow(file), list(own)) for file, own in groupby(items, lambda item: item.path)]
    slow = [own for is_slow, own in files if is_slow]
    quick = [own for is_slow, own in files if not is_slow]
    distance = sum(map(_weigh, quick)) / (len(slow) + 1)
    found: list[pytest.Item] = []
    passed = placed = 0
    for own in quick:
        found += own
        passed += _weigh(own)
        while placed < len(slow) and passed >= distance * (placed + 1):
            found += slow[placed]
            placed += 1
    return found + [item for own in slow[placed:] for item in own]
