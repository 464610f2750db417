"""A query under way in DuckDB. All of it blocks, and belongs into a thread.

DuckDB is imported when it is first used: that takes time and memory. It may use so much memory; what needs more goes to
files of a folder. No text of a user's is SQL by itself: `planning` makes all of it.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from cloudlet.core.aws import utf8
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.logs import events, row_record
from cloudlet.services.logs.insights import regexes
from cloudlet.services.logs.insights.gathering import EVENTS, Feed
from cloudlet.services.logs.insights.lookups import Wanted
from cloudlet.services.logs.insights.planning import Plan
from cloudlet.services.logs.insights.problems import QueryProblem, Unanswerable
from cloudlet.services.logs.insights.sql import MACROS
from cloudlet.services.logs.insights.syntax import Query
from cloudlet.services.logs.row_record import Row

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("cloudlet.logs")

MEMORY = "512MB"
_EXACT_ROWS = 5_000_000
"""Of more values than so many, percentiles are estimated: exact ones would need all of them in memory."""
_SPARE_HITS = 20_000
_FETCHED = 20
_MOST_RESULTS, _MOST_BYTES = 500, 256 * 1024
"""That are returned at once."""
_SETTINGS = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET preserve_insertion_order = false",
    "SET max_temp_directory_size = '16GB'",
)
_OF_ROWS = {"g": "BIGINT", "st": "BIGINT", "rw": "BIGINT", "ing": "BIGINT", "stream": "VARCHAR", "log": "VARCHAR"}
"""The columns of events that all of a row have in common."""
_OF_EVENTS = {
    "n": ("unnest(range(CAST(o AS BIGINT), CAST(o + c AS BIGINT)))", {"o": "$o::BIGINT[]", "c": "$c::BIGINT[]"}),
    "ts": ("unnest(CAST(string_split(t, ',') AS BIGINT[]))", {"t": "string_split($t, ';')"}),
    "m": ("unnest(string_split(w, $end))", {"w": "string_split($w, $last)"}),
    "um": ("unnest(string_split(uw, $end))", {"uw": "string_split($uw, $last)"}),
}
"""Those that each has for itself, and what they are unnested from."""


class Fed(NamedTuple):
    """A row of events, as it is stored or masked, and what it belongs to."""

    group: int
    """The number of the log group among those of the query."""
    log: str
    """The field @log."""
    stream: str
    place: events.Place
    row: bytes | Row
    horizon: int = 0
    """Its events of before that time (ms) have expired."""
    unmasked: Row | None = None
    """What was masked."""


class _Part(NamedTuple):
    """What is looked at of a row: its events from one on."""

    fed: Fed
    first: int
    ingested: int
    timestamps: list[int]
    messages: list[str]
    unmasked: list[str]

    @classmethod
    def of(cls, fed: Fed) -> _Part:
        """Return the part of a row that has not expired."""
        row = fed.row if isinstance(fed.row, Row) else row_record.decode_plain(fed.row)
        first = bisect_left(row.timestamps, fed.horizon) if fed.place.first < fed.horizon else 0
        messages = row.messages[first:]
        unmasked = messages if fed.unmasked is None else fed.unmasked.messages[first:]
        return cls(fed, first, row.ingested, row.timestamps[first:], messages, unmasked)


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


@contextmanager
def _within_memory() -> Iterator[None]:
    """Raise Unanswerable for what needs more memory, and cannot go to files."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise Unanswerable("it needs more memory than a query may have") from error


class Stopped(Exception):
    """The query is to end."""


class Session:
    """A query under way.

    For each lookup of its plan `load`; for each feed of it `begin`, `feed` again and again, `end`; then `answer`,
    `results`.
    """

    def __init__(self, plan: Plan, folder: Path | None = None, *, memory: str = MEMORY) -> None:
        self.counts = Counts()
        self._plan = plan
        self._connection = _connected(folder, memory)
        self._lock = Lock()
        self._mark = uuid4()
        self._hits = 0
        self._is_stopped = False

    def check(self) -> None:
        """See whether the engine takes the query. Raises duckdb.Error."""
        for wanted in self._plan.lookups:
            self.load(wanted, [])
        for feed in self._plan.feeds:
            self.begin(feed)
            self.end()
        self._define_percentile()
        self._execute(f"EXPLAIN {self._plan.answer}")

    def load(self, wanted: Wanted, rows: Sequence[tuple[str | None, ...]]) -> None:
        """Have the rows that are wanted of a lookup table."""
        columns = [*wanted.key_columns, *wanted.output_columns]
        with self._lock:
            self._execute(f"CREATE TABLE {wanted.table} ({', '.join(f'{column} VARCHAR' for column in columns)})")
            if rows:
                values: dict[str, object] = dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))
                selected = ", ".join(f"unnest(${column}::VARCHAR[])" for column in columns)
                self._execute(f"INSERT INTO {wanted.table} SELECT {selected}", values)

    def begin(self, feed: Feed) -> None:
        """Begin with a feed: the rows that come are of it."""
        with self._lock:
            self._feed, self._hits = feed, 0
            columns = feed.columns or ("n",)
            self._gather = f"INSERT INTO {feed.table} {feed.gather.replace(EVENTS, f'({_events(columns)})')}"
            self._named = set(re.findall(r"\$(\w+)", _events(columns)))
            self._execute(f"CREATE TABLE {feed.table} AS {feed.gather.replace(EVENTS, f'({_nothing(columns)})')}")

    def feed(self, rows: Sequence[Fed]) -> None:
        """Have rows of events looked at."""
        with self._lock:
            kept = [part for one in rows if (part := _Part.of(one)).messages]
            if not kept:
                return
            [matched] = self._execute(self._gather, self._parameters(kept)).fetchone() or (0,)
            seen = self.counts
            self.counts = Counts(
                seen.scanned + sum(len(part.messages) for part in kept),
                seen.bytes + sum(utf8.size("".join(part.messages)) for part in kept),
                seen.matched + (matched if self._feed.source is None else 0),
            )
            self._hits += matched
            if self._feed.first and self._hits > 2 * self._feed.most + _SPARE_HITS:
                self._cut()

    @property
    def has_enough(self) -> bool:
        """Whether no more rows are needed of the feed."""
        return 0 < self._feed.enough <= self._hits

    def end(self) -> None:
        """End with a feed: all events of it have been looked at. Raises Unanswerable."""
        feed = self._feed
        with self._lock:
            if feed.unique:
                [count] = self._execute(feed.unique).fetchone() or (0,)
                if count > feed.most_unique:
                    raise Unanswerable(f"the right side of a join has {count} keys, and may have {feed.most_unique}")
            if feed.then:
                self._define_percentile()
                self._execute(feed.then)
                self._execute(f"DROP TABLE {feed.table}")

    def answer(self) -> None:
        """Begin to answer: all feeds have ended."""
        with self._lock:
            self._define_percentile()
            self._execute(self._plan.answer)

    def results(self) -> list[Result]:
        """Return the next results; none at the end."""
        found: list[Result] = []
        size = 0
        with self._lock:
            while len(found) < _MOST_RESULTS and size < _MOST_BYTES:
                with _within_memory():
                    rows = self._connection.fetchmany(_FETCHED)
                if not rows:
                    break
                some = [self._result(row) for row in rows]
                size += sum(len(value) for one in some for value in one.values if value is not None)
                found += some
        return found

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
        if not self._plan.has_events or row[width] is None:
            return Result(values, None, None)
        timestamp, group, stream, number, nth = (int(str(part)) for part in row[width:])
        return Result(values, group, events.Position(timestamp, stream, number, nth))

    def _execute(self, statement: str, parameters: dict[str, object] | None = None) -> duckdb.DuckDBPyConnection:
        if self._is_stopped:
            raise Stopped
        with _within_memory():
            return self._connection.execute(statement, parameters)

    def _parameters(self, parts: Sequence[_Part]) -> dict[str, object]:
        end, last = f"\x1e{self._mark}\x1f", f"\x1d{self._mark}\x1f"
        values: dict[str, Callable[[], object]] = {
            "g": lambda: [part.fed.group for part in parts],
            "st": lambda: [part.fed.place.stream for part in parts],
            "rw": lambda: [part.fed.place.number for part in parts],
            "ing": lambda: [part.ingested for part in parts],
            "stream": lambda: [part.fed.stream for part in parts],
            "log": lambda: [part.fed.log for part in parts],
            "o": lambda: [part.first for part in parts],
            "c": lambda: [len(part.messages) for part in parts],
            "t": lambda: ";".join(",".join(map(str, part.timestamps)) for part in parts),
            "w": lambda: last.join(end.join(part.messages) for part in parts),
            "uw": lambda: last.join(end.join(part.unmasked) for part in parts),
            "end": lambda: end,
            "last": lambda: last,
        }
        return {name: value() for name, value in values.items() if name in self._named}

    def _cut(self) -> None:
        """Keep the first of the hits only."""
        feed = self._feed
        self._execute(f"CREATE TABLE few AS SELECT * FROM {feed.table} ORDER BY {feed.first} LIMIT {feed.most}")
        self._execute(f"DROP TABLE {feed.table}")
        self._execute(f"ALTER TABLE few RENAME TO {feed.table}")
        self._hits = feed.most

    def _define_percentile(self) -> None:
        function = "quantile_cont" if self._hits <= _EXACT_ROWS else "approx_quantile"
        self._execute(f"CREATE OR REPLACE MACRO insights_percentile(v, share) AS {function}(v, share)")


def _events(columns: Collection[str]) -> str:
    """Return SQL that selects events from what is fed."""
    inner = {column: f"${column}::{kind}[]" for column, kind in _OF_ROWS.items() if column in columns}
    outer = list(inner)
    for column, (unnested, needed) in _OF_EVENTS.items():
        if column in columns:
            inner |= needed
            outer.append(f"{unnested} AS {column}")
    if all(column in _OF_ROWS for column in columns):
        # Each event is to be there, even if nothing of its own is asked for.
        unnested, needed = _OF_EVENTS["n"]
        inner |= needed
        outer.append(f"{unnested} AS n")
    rows = ", ".join(f"unnest({source}) AS {name}" for name, source in inner.items())
    return f"SELECT {', '.join(outer)} FROM (SELECT {rows})"


def _nothing(columns: Collection[str]) -> str:
    """Return SQL that selects no events."""
    kinds = {"n": "BIGINT", "ts": "BIGINT", "m": "VARCHAR", "um": "VARCHAR", **_OF_ROWS}
    return f"SELECT {', '.join(f'CAST(NULL AS {kinds[column]}) AS {column}' for column in columns)} WHERE false"


def check(query: Query, plan: Plan) -> None:
    """See whether a query can be run. Raises QueryProblem."""
    import duckdb

    with _connected(None, MEMORY) as connection:
        for pattern in query.regexes:
            if regexes.items_in(pattern.text) > regexes.MOST_ITEMS:
                message = f"a regular expression can have {regexes.MOST_ITEMS} items at most, with what it repeats"
                raise QueryProblem(message, pattern.span.start, pattern.span.end)
            try:
                connection.execute("SELECT regexp_matches('', $1)", [pattern.text])
            except duckdb.Error as error:
                reason = str(error).rpartition(": ")[2]
                raise QueryProblem(
                    f"invalid regular expression: {reason}", pattern.span.start, pattern.span.end
                ) from None
    try:
        session = Session(plan)
        try:
            session.check()
        finally:
            session.close()
    except duckdb.Error as error:
        log.exception("the engine does not take the query %r", plan.answer)
        raise QueryProblem("the query cannot be run", 0, 0) from error


def _connected(folder: Path | None, memory: str) -> duckdb.DuckDBPyConnection:
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": memory,
        "temp_directory": "" if folder is None else str(folder),
    }
    connection = duckdb.connect(":memory:", config=config)
    for statement in (*_SETTINGS, *MACROS):
        connection.execute(statement)
    return connection
