"""Default values of metric filters: for minutes with events of which none matches.

User guide, "Configuring metric values for a metric filter". A minute's events come at different times; what comes when
a filter has put something for their minute puts no default value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cloudlet.services.logs.metric_filter import MetricFilter
from cloudlet.services.logs.pending import Pending

_MOST_REMEMBERED = 20_000


class _Minute(NamedTuple):
    """A minute of a log group, as a filter sees it; its begin is in milliseconds since the epoch."""

    group: int
    filter: str
    created: int
    begin: int


class Minutes:
    """Those of late for which filters with default values have put something."""

    def __init__(self) -> None:
        self._known: dict[_Minute, None] = {}

    def __contains__(self, minute: _Minute) -> bool:
        return minute in self._known

    def add(self, some: Iterable[_Minute]) -> None:
        self._known.update(dict.fromkeys(some))
        while len(self._known) > _MOST_REMEMBERED:
            del self._known[next(iter(self._known))]


class Seen:
    """What filters with default values have seen in some rows."""

    def __init__(self) -> None:
        self._matched: set[_Minute] = set()
        self._missed: dict[_Minute, tuple[Pending, MetricFilter]] = {}

    def note(self, one: Pending, of: MetricFilter, matched: Iterable[int], missed: Iterable[int]) -> None:
        """Note in which minutes a filter has found something in a row, and in which there were other events."""
        if of.transformation.get("defaultValue") is not None:
            self._matched.update(_Minute(one.group, of.name, of.created, begin) for begin in matched)
            self._missed |= {_Minute(one.group, of.name, of.created, begin): (one, of) for begin in missed}

    def due(self, minutes: Minutes) -> Iterator[tuple[Pending, MetricFilter, int]]:
        """Yield for which filters, and for which minutes, default values are to be put."""
        for minute, (one, of) in self._missed.items():
            if minute not in self._matched and minute not in minutes:
                yield one, of, minute.begin

    def settle(self, minutes: Minutes) -> None:
        """Note that all of that was put."""
        minutes.add((*self._matched, *self._missed))
