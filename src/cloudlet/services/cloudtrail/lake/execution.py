"""A statement under way in DuckDB, which is given events and has nothing else: no files, no network, bounded memory.

DuckDB is imported when it is first needed. All of this happens in threads, one call at a time but for `interrupt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from cloudlet.services.cloudtrail.lake.columns import CHECKSUM_COLUMN, COLUMNS, JSON_COLUMN
from cloudlet.services.cloudtrail.lake.queries import Row
from cloudlet.services.cloudtrail.lake.statement import Statement

_MEMORY = "512MB"
_DISK = "2GB"
"""For what does not fit into memory."""
_ROWS = 500


class Failed(Exception):
    """The statement cannot be executed; the text says why."""


class Execution:
    """One statement, from its tables to its result."""

    def __init__(self, statement: Statement) -> None:
        import duckdb

        self._error = duckdb.Error
        self._statement = statement
        self._folder = TemporaryDirectory(prefix="cloudlet-lake-")
        connection = self._connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": _MEMORY})
        connection.execute(f"SET temp_directory = '{self._folder.name}'")
        connection.execute(f"SET max_temp_directory_size = '{_DISK}'")
        # From here on it can open nothing, nor be told otherwise.
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        self._columns = {name: COLUMNS[name] for name in statement.columns if name in COLUMNS} or {"eventID": "VARCHAR"}
        self._shape = msgspec.json.encode(self._columns).decode()
        more = {JSON_COLUMN: "record", CHECKSUM_COLUMN: "sha256(record)"}
        self._more = "".join(f", {sql} AS {name}" for name, sql in more.items() if name in statement.columns)
        for store in statement.stores:
            connection.execute(f'CREATE TABLE "{store}" AS {self._rows()}', [self._shape, []])

    def _rows(self) -> str:
        return f"SELECT unnest(json_transform(record, ?)){self._more} FROM (SELECT unnest(?::VARCHAR[]) AS record)"

    def load(self, store: str, texts: list[str]) -> None:
        """Put records of events into the table of a store. Raises Failed."""
        self._execute(f'INSERT INTO "{store}" {self._rows()}', [self._shape, texts])

    def begin(self) -> None:
        """Execute the statement. Raises Failed."""
        self._execute(self._statement.sql)

    def rows(self) -> list[Row]:
        """Return the next rows of the result; none at its end. Raises Failed."""
        try:
            found = self._connection.fetchmany(_ROWS)
        except self._error as error:
            raise Failed(_reason(error)) from None
        names = self.names
        return [[(name, written(value)) for name, value in zip(names, row, strict=True)] for row in found]

    @property
    def names(self) -> list[str]:
        """The names of the result's columns, once it has begun."""
        return [str(column[0]) for column in self._connection.description or ()]

    def interrupt(self) -> None:
        """Have what is under way fail soon; may be called from another thread."""
        self._connection.interrupt()

    def close(self) -> None:
        """Give back what it holds."""
        self._connection.close()
        self._folder.cleanup()

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        try:
            self._connection.execute(sql, parameters)
        except self._error as error:
            raise Failed(_reason(error)) from None


def _reason(error: Exception) -> str:
    """Return the first line of DuckDB's text: the others are advice on its settings."""
    return str(error).partition("\n")[0]


def written(value: Any, *, inside: bool = False) -> str:
    """Return a value as results have it, in text, as Trino writes it."""
    match value:
        case None:
            return "null" if inside else ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}"
        case date():
            return value.isoformat()
        case dict():
            parts = (f"{key}={written(each, inside=True)}" for key, each in value.items())
            return f"{{{', '.join(parts)}}}"
        case list() | tuple():
            return f"[{', '.join(written(each, inside=True) for each in value)}]"
    return str(value)
