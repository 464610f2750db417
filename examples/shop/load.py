"""Visitors, who look at the catalogue again and again, while the demo does something to the shop."""

from __future__ import annotations

import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from waiting import DEADLINE_SECONDS

_VISITORS = 2
_PAUSE_SECONDS = 0.02


class Visits:
    """Answers to visitors by the version of the shop that gave them, and failures."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.errors: list[str] = []

    def visit(self, url: str) -> None:
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
                answer.read()
                self.answers[answer.headers["Shop-Version"]] += 1
        except OSError as error:
            self.errors.append(repr(error))


@contextmanager
def visiting(url: str) -> Iterator[Visits]:
    """Have visitors ask for a URL until the end of the `with` block."""
    visits, have_left = Visits(), Event()

    def stay() -> None:
        while not have_left.is_set():
            visits.visit(url)
            time.sleep(_PAUSE_SECONDS)

    visitors = [Thread(target=stay) for _ in range(_VISITORS)]
    for visitor in visitors:
        visitor.start()
    try:
        yield visits
    finally:
        have_left.set()
        for visitor in visitors:
            visitor.join()
