"""The process in which S3 Select's queries are run by DuckDB, one after the other.

DuckDB sees the files of a query and nothing else, and bounds the memory of what it reads and keeps. What an expression
makes of a value it neither bounds nor interrupts: so this is a process, whose memory the system bounds, and which can
be killed. It reads requests from its standard input and answers each on its standard output, JSON in a line; what a
query has found it puts into files.
"""

from __future__ import annotations

import os
import re
import resource
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

import duckdb
import msgspec

from cloudlet.core import AwsError
from cloudlet.services.s3.querying import select_expression, select_input, select_output, select_source
from cloudlet.services.s3.querying.select_expression import quoted
from cloudlet.services.s3.querying.select_output import Writer

_MEMORY = "256MB"
_PROCESS_BYTES = 768 << 20
_NICE = 5
_FETCHED = 20
"""Rows, each of which may be as long as a record."""
_PAYLOAD_BYTES = 256 * 1024
_LONGEST_MESSAGE = 2000
_LONGEST_FAULT = 10_000
_MACROS = (
    # Timestamps may end after the year, the month, the day (2007-04-05T) or the minute.
    r"CREATE MACRO s3_to_timestamp(t) AS CAST(CAST(regexp_replace(regexp_replace(regexp_replace(regexp_replace("
    r"t, '^(\d{4})T?$', '\1-01-01'), '^(\d{4}-\d{2})T?$', '\1-01'), '^(\d{4}-\d{2}-\d{2})T$', '\1'), "
    r"'T(\d{2}:\d{2})(Z|[-+].*)?$', 'T\1:00\2') AS TIMESTAMPTZ) AS TIMESTAMP)",
    "CREATE MACRO s3_date_add(part, n, t) AS CASE part "
    "WHEN 'year' THEN t + to_years(CAST(n AS INTEGER)) WHEN 'month' THEN t + to_months(CAST(n AS INTEGER)) "
    "WHEN 'day' THEN t + to_days(CAST(n AS INTEGER)) WHEN 'hour' THEN t + to_hours(n) "
    "WHEN 'minute' THEN t + to_minutes(n) ELSE t + to_seconds(n) END",
)
_ROW = "\x01row"
"""The alias of what a query selects from: none that a column has."""
_CODES = {
    "Parser Error": "ParseUnexpectedToken",
    "Binder Error": "EvaluatorBindingDoesNotExist",
    "Catalog Error": "EvaluatorBindingDoesNotExist",
    "Conversion Error": "CastFailed",
    "Out of Range Error": "CastFailed",
    "Out of Memory Error": select_input.TOO_LONG,
}
"""Of S3 Select, by what DuckDB's messages begin with."""


class _Query:
    """A query of an object, which is in the file `stored` of its folder, where what it finds is put, too."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self._asked = asked
        self._folder = Path(asked["folder"])
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._write: Writer = bytes
        self._found = 0

    def begin(self) -> int:
        """Begin to run the query; return how many bytes it reads. Raises AwsError and OSError."""
        asked, source = self._asked, self._asked["source"]
        file = self._folder / "object"
        processed = select_input.prepare(self._folder / "stored", file, source, asked["range"], asked["size"])
        columns = select_source.header(file, source)
        query = select_expression.parse(asked["expression"], columns)
        connection = self._connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": _MEMORY})
        for macro in _MACROS:
            connection.execute(macro)
        connection.execute(f"CREATE MACRO s3_utcnow() AS make_timestamp({int(asked['now'] * 1_000_000)})")
        # Rows of different reads that were put together would be too much where they are large.
        connection.execute("SET enable_caching_operators = false")
        # From here on it can open nothing else, nor be told otherwise.
        connection.execute(f"SET allowed_directories = [{select_source.text(str(self._folder))}]")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        with self._worded():
            table = select_source.table(connection, file, source, columns, query)
            output = asked["output"]
            if query.columns is not None:
                selected = ", ".join(
                    f"{table.selected(each)} AS {quoted(f'{n}')}" for n, each in enumerate(query.columns)
                )
                parts = frozenset(
                    n for n, each in enumerate(query.columns) if "JSON" in source and each.path is not None
                )
                self._write = select_output.writer(output, [each.name for each in query.columns], parts)
            elif "JSON" in source:
                selected = quoted(select_source.DOCUMENT)
                self._write = select_output.document_writer(output)
            else:
                selected = "*"
            sql = f"SELECT {selected} FROM {table.sql} AS {quoted(_ROW)}"
            if query.where:
                sql += f" WHERE {query.where}"
            if query.limit is not None:
                sql += f" LIMIT {query.limit}"
            connection.execute(sql)
            if selected == "*":
                names = [column[0] for column in connection.description or ()]
                self._write = select_output.writer(output, names)
        return processed

    def records(self) -> bool:
        """Put the next records into a file, named by its number; return whether there were any.

        Raises AwsError and OSError.
        """
        assert self._connection is not None  # noqa: S101 - for the type checker: it has begun
        written: list[bytes] = []
        size = 0
        while size < _PAYLOAD_BYTES:
            with self._worded():
                rows: Sequence[Any] = self._connection.fetchmany(_FETCHED)
            if not rows:
                break
            for record in map(self._write, rows):
                if len(record) > select_input.LONGEST_RECORD:
                    raise select_input.too_long()
                written.append(record)
                size += len(record)
        if written:
            (self._folder / f"{self._found}").write_bytes(b"".join(written))
            self._found += 1
        return bool(written)

    def end(self) -> None:
        """Let go of what the query holds."""
        if self._connection is not None:
            self._connection.close()

    @contextmanager
    def _worded(self) -> Iterator[None]:
        """Turn DuckDB's errors into S3's, which know nothing of files."""
        try:
            yield
        except duckdb.Error as error:
            # What goes wrong while rows are fetched comes wrapped in another error.
            reason = str(error).rpartition("\nError: ")[2].partition("\n")[0]
            kind, _, message = reason.partition(": ")
            code = _CODES.get(kind) or next(
                f"{name}ParsingError" for name in ("CSV", "JSON", "Parquet") if name in self._asked["source"]
            )
            shown = re.sub(re.escape(f"{self._folder}") + r"[\w/*]*", "the object", message)
            raise AwsError(code, shown[:_LONGEST_MESSAGE], status=400) from error


class _Worker:
    """Answers requests: a query begins, then each of its answers is asked for."""

    def __init__(self) -> None:
        self._query: _Query | None = None

    def answer(self, asked: Mapping[str, Any] | None) -> dict[str, Any]:
        """Begin a query, or go on with the one that was begun."""
        try:
            if asked is not None:
                self._query = _Query(asked)
                return {"processed": self._query.begin()}
            assert self._query is not None  # noqa: S101 - for the type checker: one was begun before
            if self._query.records():
                return {"found": True}
        except AwsError as error:
            return self._failed(error)
        except MemoryError:
            return self._failed(select_input.too_long())
        except RecursionError:
            message = "Encountered an unsupported SQL structure: it is nested too deeply."
            return self._failed(AwsError("UnsupportedSqlStructure", message, status=400))
        except OSError as error:
            self._end()
            return {"unstored": str(error)}
        except Exception:
            self._end()
            return {"fault": traceback.format_exc()[-_LONGEST_FAULT:]}
        self._end()
        return {}

    def _failed(self, error: AwsError) -> dict[str, Any]:
        self._end()
        return {"code": error.code, "message": error.message, "status": error.status}

    def _end(self) -> None:
        if self._query is not None:
            self._query.end()
            self._query = None


def _requests(source: BinaryIO) -> SimpleQueue[Mapping[str, Any] | None]:
    """Return where requests come. With whoever makes them this process ends, whatever it is at."""
    requests: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()

    def read() -> None:
        for line in source:
            requests.put(msgspec.json.decode(line))
        os._exit(0)

    Thread(target=read, daemon=True).start()
    return requests


def main() -> None:
    """Answer requests, until there will be no more."""
    resource.setrlimit(resource.RLIMIT_DATA, (_PROCESS_BYTES, _PROCESS_BYTES))
    os.nice(_NICE)
    sink = sys.stdout.buffer
    requests = _requests(sys.stdin.buffer)
    worker = _Worker()
    while True:
        sink.write(msgspec.json.encode(worker.answer(requests.get())) + b"\n")
        sink.flush()


if __name__ == "__main__":
    main()
