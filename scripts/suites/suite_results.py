"""The part of the suites' pytest plugins that counts outcomes by area, and writes a line for each test that failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_LISTED = ("failed", "error", "against AWS", "unexpectedly passed")


class Results:
    """The outcomes of a run; `area` names the area of a test by its id.

    A test that is marked as expected to fail (xfail) is one that asks for what AWS does not do.
    """

    def __init__(self, folder: Path, area: Callable[[str], str]) -> None:
        self._folder = folder
        self._area = area
        self._outcomes: dict[str, tuple[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.passed and report.when != "call":
            return
        # A test that failed does not become better by how it was cleaned up after.
        if self._outcomes.get(report.nodeid, ("",))[0] not in ("failed", "against AWS"):
            self._outcomes[report.nodeid] = _outcome(report)

    def pytest_sessionfinish(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "failing.txt").open("w") as failing:
            for test, (outcome, text) in sorted(self._outcomes.items()):
                if outcome in _LISTED:
                    failing.write(f"{outcome}\t{test.rpartition('/')[2]}\t{text}\n")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        areas: dict[str, Counter[str]] = defaultdict(Counter)
        for test, (outcome, _) in self._outcomes.items():
            areas[self._area(test)][outcome] += 1
        total = sum(areas.values(), Counter())
        for area, counts in [*sorted(areas.items()), ("TOTAL", total)]:
            terminalreporter.write_line(f"{area:28} " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items())))
        terminalreporter.write_line(f"those that failed: {self._folder / 'failing.txt'}")


def _outcome(report: pytest.TestReport) -> tuple[str, str]:
    """Return what came of a test, and why."""
    expected = getattr(report, "wasxfail", None)
    if expected is not None:
        return "unexpectedly passed" if report.passed else "against AWS", expected
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr or "")
    return "error" if report.failed and report.when == "setup" else report.outcome, " ".join(text.split())[:300]
