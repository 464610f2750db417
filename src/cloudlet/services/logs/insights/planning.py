"""From a query to the SQL that answers it, in two steps.

What concerns each event by itself, at the begin of a query, is done batch by batch as events come in (`gather`); what
is left of them lies in a table, which the rest works on (`answer`). Where nothing but the first few in an order are
asked for, the table is cut down to those now and then, so that it stays small.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cloudlet.services.logs.insights.parsing import MOST_RESULTS
from cloudlet.services.logs.insights.pipeline import Pipeline
from cloudlet.services.logs.insights.problems import QueryProblem
from cloudlet.services.logs.insights.scope import BASE, Scope
from cloudlet.services.logs.insights.syntax import (
    Command,
    Dedup,
    Display,
    Fields,
    Filter,
    Limit,
    Parse,
    Query,
    Sort,
    Unnest,
)

DEFAULT_RESULTS = 10_000
_LONGEST_SQL = 400_000
EVENTS = "\x00events"
"""What stands for a batch of events in SQL."""
_BY_EVENT = (Fields, Display, Filter, Parse, Unnest, Sort)
_COLUMN = re.compile(r"\b[a-z]+\d*\b")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query is answered."""

    gather: str
    """Selects from a batch of events (`EVENTS`) what goes into the table `hits`."""
    columns: tuple[str, ...]
    """Those of events that it needs."""
    answer: str
    """Selects the results, in order, from `hits`: all as texts, and then the event's position if it has one."""
    names: tuple[str, ...]
    """Of the results' columns."""
    has_events: bool
    """Whether results are events."""
    first: str
    """By which order the first few of the hits are enough; empty where all are needed."""
    most: int
    """How many."""


def plan(query: Query, limit: int | None, now: int) -> Plan:
    """Return the plan of a query for so many results at most. Raises QueryProblem."""
    _check_order(query.commands)
    scope, discovered = Scope.of_events()
    pipeline = Pipeline(EVENTS, scope, now)
    commands = list(query.commands)
    while commands and isinstance(commands[0], _BY_EVENT):
        pipeline.add(commands.pop(0))
    gathered, first, made = pipeline.relation, pipeline.order, list(pipeline.columns)
    pipeline.relation = "SELECT * FROM hits"
    for command in commands:
        pipeline.add(command)
    has_limit = any(isinstance(command, Limit) for command in query.commands)
    most = limit or (MOST_RESULTS if has_limit else DEFAULT_RESULTS)
    answer, names = pipeline.results(most)
    few = _first_few(commands, most)
    used = set(_COLUMN.findall(f"{answer} {first}"))
    columns = [column for column in (*BASE, *discovered.columns, *made) if column in used]
    gather = f"SELECT {', '.join(columns or ['n'])} FROM ({gathered})".replace(EVENTS, discovered.over(EVENTS))
    needed = set(_COLUMN.findall(gather))
    if len(gather) + len(answer) > _LONGEST_SQL:
        raise QueryProblem("the query is too complex", 0, 0)
    return Plan(
        gather,
        tuple(column for column in BASE if column in needed),
        answer,
        names,
        pipeline.scope.has_events,
        first if few else "",
        few or 0,
    )


def _check_order(commands: Sequence[Command]) -> None:
    """Raises QueryProblem where something stands behind dedup that may not. User guide, "dedup"."""
    for command, following in pairwise(commands):
        if isinstance(command, Dedup) and not isinstance(following, Limit):
            raise QueryProblem("only limit may follow dedup", command.span.start, command.span.end)


def _first_few(commands: Sequence[Command], most: int) -> int | None:
    """Return how many hits, the first in order, are enough; None where all are needed."""
    if not commands:
        return most
    return commands[0].count if isinstance(commands[0], Limit) else None
