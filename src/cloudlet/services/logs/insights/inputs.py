"""What a query looks at besides the events of its own log groups."""

from __future__ import annotations

from dataclasses import replace

from cloudlet.services.logs.insights.gathering import EVENTS, HITS, Feed, Gathering, needed
from cloudlet.services.logs.insights.lookups import Wanted
from cloudlet.services.logs.insights.problems import NotBuilt, QueryProblem
from cloudlet.services.logs.insights.scope import POSITION, Scope
from cloudlet.services.logs.insights.sql import Sql
from cloudlet.services.logs.insights.syntax import AppendColumns, Before, Join, Lookup, Within
from cloudlet.services.logs.insights.times import Asked

_BEFORE = "before"
MOST_KEYS = 50_000
"""Unique ones of the right side of a join. User guide, "join"."""
SUBQUERY_SECONDS = 30
"""User guide, "subqueries"."""


class Right:
    """The events at the right side of a join."""

    key = "jk"
    order = ", ".join(f"j{column} DESC" for column in POSITION)

    def __init__(self, table: str, join: Join) -> None:
        self.table = table
        self._join = join
        self._scope, self._discovered = Scope.of_events()
        self._columns: dict[tuple[str | int, ...], tuple[str, Sql]] = {}
        """Those that are asked for, and what they are of an event."""

    def field(self, path: tuple[str | int, ...]) -> Sql:
        """Return a field; null for what is not there."""
        column, value = self._columns.setdefault(path, (f"e{len(self._columns)}", self._scope.field(path)))
        return Sql(column, value.kind)

    def feed(self) -> Feed:
        """Return how its events are gathered, once all fields are known."""
        columns = [f"{self._scope.field(self._join.right_key).key} AS {self.key}"]
        columns += [f"{column} AS j{column}" for column in POSITION]
        columns += [f"{value.text} AS {column}" for column, value in self._columns.values()]
        gather = f"SELECT {', '.join(columns)} FROM ({EVENTS}) WHERE {self.key} IS NOT NULL"
        gather = gather.replace(EVENTS, self._discovered.over(EVENTS))
        unique = f"SELECT count(DISTINCT {self.key}) FROM {self.table}"
        return Feed(self.table, needed(gather), gather, source=self._join.source, unique=unique, most_unique=MOST_KEYS)


class Inputs:
    """Notes what the outermost query asks for."""

    def __init__(self, text: str, asked: Asked) -> None:
        self._text = text
        self._asked = asked
        self._subqueries: list[Feed] = []
        self._right: Right | None = None
        self._before: Before | None = None
        self.lookups: list[Wanted] = []

    def feeds(self, own: Feed) -> list[Feed]:
        """Return all feeds, the query's own one at last."""
        right = [] if self._right is None else [self._right.feed()]
        before = [] if self._before is None else [replace(own, table=_BEFORE, before=self._before)]
        return [*self._subqueries, *right, *before, own]

    def found(self, within: Within) -> str:
        """Return the table whose column `v` has the keys of what a query within has found. Raises QueryProblem."""
        name, span = within.operand.name, within.span
        gathering = Gathering(within.query, self._text, self._asked, None)
        value = gathering.pipeline.chosen(name)
        if value is None:
            raise QueryProblem(f"the query within does not choose the field {name}", span.start, span.end)
        number = len(self._subqueries) + 1
        table, found = f"hits{number}", f"found{number}"
        keys = f"SELECT DISTINCT {value.key} AS v FROM ({gathering.pipeline.relation}) WHERE v IS NOT NULL"
        then = f"CREATE TABLE {found} AS {keys}".replace(HITS, table)
        feed = gathering.feed(table, keys, None)
        self._subqueries.append(replace(feed, source=within.query.source, then=then, seconds=SUBQUERY_SECONDS))
        return found

    def appended(self, command: AppendColumns) -> tuple[str, dict[str, Sql]]:
        """Return the table with what a query finds whose columns are appended, and those, by their names.

        The table's column `n`, with the table's name before it, has the numbers of records.
        """
        gathering = Gathering(command.query, self._text, self._asked, None)
        number = len(self._subqueries) + 1
        table, made = f"hits{number}", f"appended{number}"
        values = gathering.pipeline.shown
        columns = {name: Sql(f"{made}v{at}", value.kind) for at, (name, value) in enumerate(values.items())}
        selected = [f"row_number() OVER (ORDER BY {gathering.pipeline.order}) AS {made}n"]
        selected += [f"{value.text} AS {columns[name].text}" for name, value in values.items()]
        rows = f"SELECT {', '.join(selected)} FROM ({gathering.pipeline.relation}) QUALIFY {made}n <= {command.most}"
        feed = gathering.feed(table, rows, command.most)
        then = f"CREATE TABLE {made} AS {rows}".replace(HITS, table)
        self._subqueries.append(replace(feed, source=command.query.source, then=then))
        return made, columns

    def lookup(self, command: Lookup) -> Wanted:
        """Return what the query has of a lookup table."""
        self.lookups.append(Wanted.by(command, len(self.lookups)))
        return self.lookups[-1]

    def right(self, join: Join) -> Right:
        """Return the right side of a join. Raises QueryProblem."""
        if self._right is not None:
            raise QueryProblem("a query has one join at most", join.span.start, join.span.end)
        self._right = Right("rights", join)
        return self._right

    def before(self, time: Before, relation: str) -> str:
        """Return SQL that selects of an earlier time what other SQL does of the query's. Raises NotBuilt."""
        if self._subqueries or self._right is not None:
            raise NotBuilt("diff beside join, appendcols or a query within a query")
        self._before = time
        return relation.replace(HITS, _BEFORE)
