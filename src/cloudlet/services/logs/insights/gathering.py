"""From commands to SQL, in two steps.

What concerns each event by itself, at the begin of a query, is done batch by batch as events come in (a `Feed`); what
is left of them lies in a table, which the rest works on. Where nothing but the first few in an order are asked for,
the table is cut down to those now and then, so that it stays small.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from cloudlet.services.logs.insights.pipeline import Pipeline
from cloudlet.services.logs.insights.problems import QueryProblem
from cloudlet.services.logs.insights.scope import BASE, Scope
from cloudlet.services.logs.insights.syntax import (
    Before,
    Command,
    Dedup,
    Display,
    Fields,
    Filter,
    FilterIndex,
    JsonField,
    Limit,
    Parse,
    ParseCsv,
    ParseGlob,
    ParseLogfmt,
    Query,
    Sort,
    Source,
    Structures,
    Unnest,
)
from cloudlet.services.logs.insights.times import Asked

if TYPE_CHECKING:
    from cloudlet.services.logs.insights.inputs import Inputs

EVENTS, HITS = "\x00events", "\x00hits"
"""What stands in SQL for a batch of events, and for the table of what is left of them."""
_BY_EVENT = (Fields, Display, Filter, FilterIndex, Parse, ParseGlob, ParseCsv, ParseLogfmt, JsonField, Unnest, Sort)
_COLUMN = re.compile(r"\b[a-z]+\d*\b")


@dataclass(frozen=True, slots=True)
class Feed:
    """Events that are looked at, one batch after the other, and what is kept of them."""

    table: str
    """Where what is kept goes to."""
    columns: tuple[str, ...]
    """Those of events that it needs."""
    gather: str
    """Selects from a batch of events (`EVENTS`) what is kept."""
    source: Source | None = None
    """Of which log groups events are, if they are not those of the query."""
    before: Before | None = None
    """Of which time events are, if it is not that of the query."""
    first: str = ""
    """By which order the first few of what is kept are enough; empty where all are needed."""
    most: int = 0
    """How many."""
    enough: int = 0
    """So many of what is kept are enough, whichever; 0 where all are needed."""
    then: str = ""
    """What is done when all events have been looked at, and the table is not needed any more."""
    unique: str = ""
    """Counts what there may be so many of only (`most_unique`)."""
    most_unique: int = 0
    seconds: int | None = None
    """How long it may take."""


class Gathering:
    """A query's commands in both steps."""

    def __init__(self, query: Query, text: str, asked: Asked, inputs: Inputs | None) -> None:
        """Raises QueryProblem."""
        _check_order(query.commands)
        scope, self._discovered = Scope.of_events()
        self.pipeline = Pipeline(EVENTS, scope, text, asked, inputs)
        commands = list(query.commands)
        while commands and isinstance(commands[0], _BY_EVENT):
            self.pipeline.add(commands.pop(0))
        if commands and isinstance(commands[0], Structures):
            self.pipeline.find_structures(commands[0])
        self._gathered, self._order = self.pipeline.relation, self.pipeline.order
        self._made, self._rest = list(self.pipeline.columns), commands
        self.pipeline.relation = f"SELECT * FROM {HITS}"
        for command in commands:
            self.pipeline.add(command)

    def feed(self, table: str, answer: str, most: int | None) -> Feed:
        """Return how events are gathered for SQL that answers the query from the table with so many results at most."""
        few = self._first_few(most)
        used = set(_COLUMN.findall(f"{answer} {self._order}" if few else answer))
        columns = [column for column in (*BASE, *self._discovered.columns, *self._made) if column in used]
        gather = f"SELECT {', '.join(columns or ['n'])} FROM ({self._gathered})"
        gather = gather.replace(EVENTS, self._discovered.over(EVENTS))
        limit = self._rest[0] if self._rest else None
        enough = limit.count if isinstance(limit, Limit) and limit.any else 0
        return Feed(table, needed(gather), gather, first=self._order if few else "", most=few or 0, enough=enough)

    def _first_few(self, most: int | None) -> int | None:
        """Return how many of what is gathered, the first in order, are enough; None where all are needed."""
        if not self._rest:
            return most
        return self._rest[0].count if isinstance(self._rest[0], Limit) else None


def needed(gather: str) -> tuple[str, ...]:
    """Return which columns of events SQL needs."""
    words = set(_COLUMN.findall(gather))
    return tuple(column for column in BASE if column in words)


def _check_order(commands: Sequence[Command]) -> None:
    """Raises QueryProblem where something stands behind dedup that may not. User guide, "dedup"."""
    for command, following in pairwise(commands):
        if isinstance(command, Dedup) and not isinstance(following, Limit):
            raise QueryProblem("only limit may follow dedup", command.span.start, command.span.end)
