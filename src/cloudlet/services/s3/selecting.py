"""S3 Select: a query over one object, run by DuckDB within this process.

DuckDB sees the one file that it is to read and nothing else, and may use so much memory and no more. It is imported
when it is first used: that takes time and memory. API reference, "SelectObjectContent".
"""

from __future__ import annotations

import asyncio
import weakref
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from cloudlet.core import AwsError, Params
from cloudlet.core.attached import Attached
from cloudlet.core.block import Block
from cloudlet.services.s3 import errors, select_expression, select_output, select_source, workspace
from cloudlet.services.s3.select_expression import quoted
from cloudlet.services.s3.select_output import Writer
from cloudlet.store import StoreError

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

_THREADS = 2
_MEMORY = "256MB"
_ROWS = 1000
_PAYLOAD_BYTES = 256 * 1024
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
    "Out of Memory Error": "OverMaxRecordSize",
}
"""Of S3 Select, by what DuckDB's messages begin with."""
_AT_ONCE = 4
"""So many queries have memory at a time; others wait."""
_RUNNING = Attached(lambda _: asyncio.Semaphore(_AT_ONCE))
_executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="select")


@dataclass
class _Counts:
    scanned: int = 0
    processed: int = 0
    returned: int = 0

    def shown(self) -> dict[str, Any]:
        return {
            "Details": {
                "BytesScanned": self.scanned,
                "BytesProcessed": self.processed,
                "BytesReturned": self.returned,
            }
        }


def check(params: Params) -> None:
    """Raise AwsError for a request that cannot be meant, or that takes what is not there."""
    if params["ExpressionType"] != "SQL":
        raise AwsError(
            "InvalidExpressionType", "The ExpressionType is invalid. Only SQL expressions are supported.", status=400
        )
    source = params["InputSerialization"]
    if sum(name in source for name in ("CSV", "JSON", "Parquet")) != 1:
        raise errors.invalid_request("InputSerialization has to have exactly one of CSV, JSON and Parquet.")
    if sum(name in params["OutputSerialization"] for name in ("CSV", "JSON")) != 1:
        raise errors.invalid_request("OutputSerialization has to have exactly one of CSV and JSON.")
    compressed = source.get("CompressionType", "NONE") != "NONE"
    if "Parquet" in source and compressed:
        raise AwsError("InvalidCompressionFormat", "Parquet has a compression of its own.", status=400)
    if params.get("ScanRange") is not None and not _may_be_scanned(source):
        raise errors.invalid_request("ScanRange is for CSV and for lines of JSON, which are not compressed.")


def _may_be_scanned(source: Mapping[str, Any]) -> bool:
    if source.get("CompressionType", "NONE") != "NONE" or (source.get("JSON") or {}).get("Type") == "DOCUMENT":
        return False
    return "Parquet" not in source and not (source.get("CSV") or {}).get("AllowQuotedRecordDelimiter")


async def answer(
    block: Block, params: Params, size: int, pieces: AsyncIterator[bytes], ended: Callable[[int, int], None]
) -> AsyncIterator[dict[str, Any]]:
    """Return the events of the answer for an object whose bytes are `pieces`.

    `ended` is called at the end, with the bytes that were scanned and that were returned.
    Raises AwsError, and StoreError where there is no room to work; so may the iterator.
    """
    running = _RUNNING.of(block)
    await running.acquire()
    try:
        events = await _begun(block, params, size, pieces, ended)
    except BaseException:
        running.release()
        raise
    # Whoever asked may have gone by now, and nobody begins to read.
    weakref.finalize(events, _release, asyncio.get_running_loop(), running).atexit = False
    return events


def _release(loop: asyncio.AbstractEventLoop, running: asyncio.Semaphore) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(running.release)


async def _begun(
    block: Block, params: Params, size: int, pieces: AsyncIterator[bytes], ended: Callable[[int, int], None]
) -> AsyncIterator[dict[str, Any]]:
    folder = workspace.folder(block)
    file = Path(folder.name) / "object"
    query = _Query(params, file, block.clock.now())
    try:
        processed = await _write(file, params, size, pieces)
        await query.begin()
    except OSError as error:
        await _give_up(query, folder)
        raise StoreError(str(error)) from error
    except BaseException:
        await _give_up(query, folder)
        raise
    counts = _Counts(size if params.get("ScanRange") is None else processed, processed)
    progress = bool((params.get("RequestProgress") or {}).get("Enabled"))
    return _events(query, counts, folder, ended, progress=progress)


async def _events(
    query: _Query,
    counts: _Counts,
    folder: TemporaryDirectory[str],
    ended: Callable[[int, int], None],
    *,
    progress: bool,
) -> AsyncIterator[dict[str, Any]]:
    try:
        while records := await query.records():
            counts.returned += len(records)
            yield {"Records": {"Payload": records}}
            if progress:
                yield {"Progress": counts.shown()}
        ended(counts.scanned, counts.returned)
        yield {"Stats": counts.shown()}
        yield {"End": {}}
    finally:
        await _give_up(query, folder)


async def _give_up(query: _Query, folder: TemporaryDirectory[str]) -> None:
    await query.end()
    await _in_thread(folder.cleanup)


async def _write(file: Path, params: Params, size: int, pieces: AsyncIterator[bytes]) -> int:
    """Write what is to be read into a file, decompressed; return its size."""
    source = params["InputSerialization"]
    stored = file.with_suffix(".stored")
    with stored.open("wb") as target:
        async for piece in pieces:
            await _in_thread(partial(target.write, piece))
    if source.get("CompressionType", "NONE") != "NONE":
        await _in_thread(partial(_decompress, stored, file, source))
    elif params.get("ScanRange") is not None:
        await _in_thread(partial(_cut, stored, file, params, size))
    else:
        stored.rename(file)
    return file.stat().st_size


def _decompress(stored: Path, file: Path, source: Mapping[str, Any]) -> None:
    try:
        with select_source.opened(stored, source) as packed, file.open("wb") as target:
            while piece := packed.read(_PAYLOAD_BYTES):
                target.write(piece)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # It is the disk, and not what was read.
            raise
        name = source["CompressionType"]
        message = f"{name} is not applicable to the queried object. Please correct the request and try again."
        raise AwsError("InvalidCompressionFormat", message, status=400) from error
    finally:
        stored.unlink()


def _cut(stored: Path, file: Path, params: Params, size: int) -> None:
    """Keep the records that begin within the range, and the line with the names of the columns."""
    asked = params["ScanRange"]
    start, end = asked.get("Start"), asked.get("End")
    if start is None:
        # Without a start, so many bytes from the end.
        start, end = max(0, size - (end or 0)), size - 1
    if start >= size or (end is not None and end < start):
        raise AwsError("InvalidScanRange", "The value of a parameter in ScanRange element is invalid.", status=400)
    last = size - 1 if end is None else end
    form = params["InputSerialization"].get("CSV")
    named = form is not None and form.get("FileHeaderInfo", "NONE") != "NONE"
    with stored.open("rb") as source, file.open("wb") as target:
        if named:
            target.write(source.readline())
        if start > source.tell():
            source.seek(start - 1)
            source.readline()
        while source.tell() <= last and (line := source.readline()):
            target.write(line)
    stored.unlink()


class _Query:
    """A query under way; all of it happens in threads."""

    def __init__(self, params: Params, file: Path, now: float) -> None:
        self._params = params
        self._file = file
        self._now = now
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._write: Writer = bytes
        self._held: list[bytes] = []

    async def begin(self) -> None:
        await _in_thread(self._begin)

    def _begin(self) -> None:
        import duckdb

        source = {**self._params["InputSerialization"], "CompressionType": "NONE"}
        columns = select_source.header(self._file, source)
        query = select_expression.parse(self._params["Expression"], columns)
        connection = self._connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": _MEMORY})
        for macro in _MACROS:
            connection.execute(macro)
        connection.execute(f"CREATE MACRO s3_utcnow() AS make_timestamp({int(self._now * 1_000_000)})")
        # From here on it can open nothing else, nor be told otherwise.
        connection.execute(f"SET allowed_paths = [{select_source.text(str(self._file))}]")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        with self._worded():
            table = select_source.table(connection, self._file, source, columns, query)
            output = self._params["OutputSerialization"]
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

    async def records(self) -> bytes:
        """Return the next records, b"" at the end."""
        return await _in_thread(self._records)

    def _records(self) -> bytes:
        assert self._connection is not None  # noqa: S101 - for the type checker: it has begun
        written: list[bytes] = []
        size = 0
        while size < _PAYLOAD_BYTES:
            with self._worded():
                rows: Sequence[Any] = self._connection.fetchmany(_ROWS)
            if not rows:
                break
            records = [self._write(row) for row in rows]
            written += records
            size += sum(map(len, records))
        return b"".join(written)

    async def end(self) -> None:
        """Give the query up, if it is still under way, and what it holds."""
        if self._connection is not None:
            # At once: the threads may all be at work.
            self._connection.interrupt()
            await _in_thread(self._connection.close)

    @contextmanager
    def _worded(self) -> Iterator[None]:
        """Turn DuckDB's errors into S3's, which know nothing of files."""
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            # What goes wrong while rows are fetched comes wrapped in another error.
            reason = str(error).rpartition("\nError: ")[2].partition("\n")[0]
            kind, _, message = reason.partition(": ")
            code = _CODES.get(kind) or next(
                f"{name}ParsingError"
                for name in ("CSV", "JSON", "Parquet")
                if name in self._params["InputSerialization"]
            )
            raise AwsError(code, message.replace(str(self._file), "the object"), status=400) from error


async def _in_thread(function: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_executor, function)
