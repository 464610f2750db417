"""From a query to the SQL that answers it."""

from __future__ import annotations

from dataclasses import dataclass

from cloudlet.services.logs.insights.gathering import HITS, Feed, Gathering
from cloudlet.services.logs.insights.inputs import Inputs
from cloudlet.services.logs.insights.lookups import Wanted
from cloudlet.services.logs.insights.parsing import MOST_RESULTS
from cloudlet.services.logs.insights.problems import QueryProblem
from cloudlet.services.logs.insights.syntax import Limit, Query
from cloudlet.services.logs.insights.times import Asked

DEFAULT_RESULTS = 10_000
_LONGEST_SQL = 400_000
_TABLE = "hits"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query is answered."""

    feeds: tuple[Feed, ...]
    """The events that are looked at, one feed after the other; those of the query's own log groups at last."""
    answer: str
    """Selects the results, in order: all as texts, and then the event's position if it has one."""
    names: tuple[str, ...]
    """Of the results' columns."""
    has_events: bool
    """Whether results are events."""
    lookups: tuple[Wanted, ...] = ()
    """The tables that are there from the begin."""


def plan(query: Query, limit: int | None, asked: Asked) -> Plan:
    """Return the plan of a query for so many results at most. Raises QueryProblem."""
    inputs = Inputs(query.text, asked)
    gathering = Gathering(query, query.text, asked, inputs)
    has_limit = any(isinstance(command, Limit) for command in query.commands)
    most = limit or (MOST_RESULTS if has_limit else DEFAULT_RESULTS)
    answer, names = gathering.pipeline.results(most)
    if len(answer) > _LONGEST_SQL:
        raise QueryProblem("the query is too complex", 0, 0)
    feeds = tuple(inputs.feeds(gathering.feed(_TABLE, answer, most)))
    if sum(len(feed.gather) + len(feed.then) for feed in feeds) + len(answer) > _LONGEST_SQL:
        raise QueryProblem("the query is too complex", 0, 0)
    return Plan(feeds, answer.replace(HITS, _TABLE), names, gathering.pipeline.scope.has_events, tuple(inputs.lookups))
