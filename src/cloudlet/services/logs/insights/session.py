"""A query under way in DuckDB. All of it blocks, and belongs into a thread.

DuckDB is imported when it is first used: that takes time and memory. It may use so much memory; what needs more goes to
files of a folder. No text of a user's is SQL by itself: `planning` makes all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from cloudlet.core.ids import uuid4
from cloudlet.services.logs import events
from cloudlet.services.logs.insights.planning import Plan
from cloudlet.services.logs.insights.problems import QueryProblem
from cloudlet.services.logs.insights.sql import MACROS
from cloudlet.services.logs.insights.syntax import Query

if TYPE_CHECKING:
    import duckdb

_MEMORY = "256MB"
_EXACT_ROWS = 5_000_000
"""Of more values than so many, percentiles are estimated: exact ones would need all of them in memory."""
_SPARE_HITS = 20_000
_FETCHED = 200
_SETTINGS = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET preserve_insertion_order = false",
    "SET max_temp_directory_size = '16GB'",
)
_BATCH = """CREATE OR REPLACE TEMP TABLE batch AS
SELECT * FROM (
  SELECT g, st, rw, ing, stream, log,
    unnest(range(CAST(c AS BIGINT))) AS n, unnest(CAST(string_split(t, ',') AS BIGINT[])) AS ts,
    unnest(string_split(m, $part)) AS m
  FROM (SELECT unnest($g::BIGINT[]) AS g, unnest($st::BIGINT[]) AS st, unnest($rw::BIGINT[]) AS rw,
    unnest($ing::BIGINT[]) AS ing, unnest($c::BIGINT[]) AS c, unnest($stream::VARCHAR[]) AS stream,
    unnest($log::VARCHAR[]) AS log, unnest(string_split($t, ';')) AS t, unnest(string_split($m, $whole)) AS m)
) WHERE ts >= $horizon"""
_EMPTY = (
    "CREATE TEMP TABLE batch (g BIGINT, st BIGINT, rw BIGINT, ing BIGINT, stream VARCHAR, log VARCHAR, "
    "n BIGINT, ts BIGINT, m VARCHAR)"
)


class Fed(NamedTuple):
    """A row of events, as it is stored, and what it belongs to."""

    group: int
    """The number of the log group among those of the query."""
    log: str
    """The field @log."""
    stream: str
    place: events.Place
    raw: bytes


class Counts(NamedTuple):
    """What a query has seen: events, bytes of their messages, and events that it has not filtered out."""

    scanned: int = 0
    bytes: int = 0
    matched: int = 0


class Result(NamedTuple):
    """A record that is found: the values of its fields, and where its event is, if it is one."""

    values: tuple[str | None, ...]
    group: int | None
    position: events.Position | None


class Stopped(Exception):
    """The query is to end."""


class Session:
    """A query under way."""

    def __init__(self, plan: Plan, folder: Path | None = None) -> None:
        self.counts = Counts()
        self._plan = plan
        self._connection = _connected(folder)
        self._lock = Lock()
        self._mark = uuid4()
        self._hits = 0
        self._is_stopped = False
        self._execute(_EMPTY)
        self._execute(f"CREATE TABLE hits AS {plan.gather}")

    def check(self) -> None:
        """See whether the engine takes the query. Raises duckdb.Error."""
        self._define_percentile()
        self._execute(f"EXPLAIN {self._plan.answer}")

    def feed(self, rows: Sequence[Fed], horizon: int) -> None:
        """Have rows of events looked at; those of before a time (ms) have expired."""
        with self._lock:
            self._load(rows, horizon)
            scanned, size = self._one("SELECT count(*), coalesce(sum(strlen(m)), 0) FROM batch")
            [matched] = self._one(f"INSERT INTO hits {self._plan.gather}")
            seen = self.counts
            self.counts = Counts(seen.scanned + scanned, seen.bytes + size, seen.matched + matched)
            self._hits += matched
            if self._plan.first and self._hits > 2 * self._plan.most + _SPARE_HITS:
                self._cut()

    def answer(self) -> None:
        """Begin to answer: all events have been looked at."""
        with self._lock:
            self._define_percentile()
            self._execute(self._plan.answer)

    def results(self) -> list[Result]:
        """Return the next results; none at the end."""
        with self._lock:
            rows = self._connection.fetchmany(_FETCHED)
        return [self._result(row) for row in rows]

    def interrupt(self) -> None:
        """Have what is under way end soon, with an error. May be called while it is."""
        self._is_stopped = True
        self._connection.interrupt()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _result(self, row: tuple[object, ...]) -> Result:
        width = len(self._plan.names)
        values = tuple(None if value is None else str(value) for value in row[:width])
        if not self._plan.has_events:
            return Result(values, None, None)
        timestamp, group, stream, number, nth = (int(str(part)) for part in row[width:])
        return Result(values, group, events.Position(timestamp, stream, number, nth))

    def _one(self, statement: str) -> tuple[int, ...]:
        row = self._execute(statement).fetchone()
        return row or (0,)

    def _execute(self, statement: str, parameters: dict[str, object] | None = None) -> duckdb.DuckDBPyConnection:
        if self._is_stopped:
            raise Stopped
        return self._connection.execute(statement, parameters)

    def _load(self, rows: Sequence[Fed], horizon: int) -> None:
        decoded = [events.decode(one.raw) for one in rows]
        part, whole = f"\x1e{self._mark}\x1f", f"\x1d{self._mark}\x1f"
        self._execute(
            _BATCH,
            {
                "g": [one.group for one in rows],
                "st": [one.place.stream for one in rows],
                "rw": [one.place.number for one in rows],
                "ing": [row.ingested for row in decoded],
                "c": [len(row.timestamps) for row in decoded],
                "stream": [one.stream for one in rows],
                "log": [one.log for one in rows],
                "t": ";".join(",".join(map(str, row.timestamps)) for row in decoded),
                "m": whole.join(part.join(row.messages) for row in decoded),
                "part": part,
                "whole": whole,
                "horizon": horizon,
            },
        )

    def _cut(self) -> None:
        """Keep the first of the hits only."""
        plan = self._plan
        self._execute(f"CREATE TABLE few AS SELECT * FROM hits ORDER BY {plan.first} LIMIT {plan.most}")
        self._execute("DROP TABLE hits")
        self._execute("ALTER TABLE few RENAME TO hits")
        self._hits = plan.most

    def _define_percentile(self) -> None:
        function = "quantile_cont" if self._hits <= _EXACT_ROWS else "approx_quantile"
        self._execute(f"CREATE OR REPLACE MACRO insights_percentile(v, share) AS {function}(v, share)")


def check(query: Query, plan: Plan) -> None:
    """See whether a query can be run. Raises QueryProblem."""
    import duckdb

    with _connected(None) as connection:
        for pattern in query.regexes:
            try:
                connection.execute("SELECT regexp_matches('', $1)", [pattern.text])
            except duckdb.Error as error:
                reason = str(error).rpartition(": ")[2]
                raise QueryProblem(
                    f"invalid regular expression: {reason}", pattern.span.start, pattern.span.end
                ) from None
    session = Session(plan)
    try:
        session.check()
    finally:
        session.close()


def _connected(folder: Path | None) -> duckdb.DuckDBPyConnection:
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": _MEMORY,
        "temp_directory": "" if folder is None else str(folder),
    }
    connection = duckdb.connect(":memory:", config=config)
    for statement in (*_SETTINGS, *MACROS):
        connection.execute(statement)
    return connection
