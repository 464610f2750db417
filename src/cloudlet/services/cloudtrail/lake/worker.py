"""The process in which one statement is executed by DuckDB, which is given events and has nothing else.

DuckDB opens no files and no connections, and bounds the memory of what it sorts and joins. What a function makes of a
value it neither bounds nor interrupts: so this is a process, whose memory and processor time the system bounds, and
which can be killed. It reads requests from its standard input and answers each on its standard output (`frames`).
"""

from __future__ import annotations

import os
import resource
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from queue import SimpleQueue
from threading import Thread
from time import sleep
from typing import Any, BinaryIO

import duckdb
import msgspec

from cloudlet.services.cloudtrail.lake import frames
from cloudlet.services.cloudtrail.lake.columns import CHECKSUM_COLUMN, COLUMNS, JSON_COLUMN

Row = list[tuple[str, str]]
"""The names and the values of the columns of a result."""

_MEMORY = "512MB"
_DISK = "2GB"
"""For what does not fit into memory."""
_PROCESS_BYTES = 1536 << 20
_PROCESSOR_SECONDS = 900
_NICE = 5
_GRACE_SECONDS = 3.0
_FETCHED = 100
_LARGEST_ROW = 1 << 20
"""Of the text of its values; an answer has no more, either."""
_ZONED, _UNZONED = "TIMESTAMP WITH TIME ZONE", "TIMESTAMP"


class Failed(Exception):
    """The statement cannot be executed; the text says why."""


class Worker:
    """One statement, from its tables to its result."""

    def __init__(self, folder: str, sql: str, stores: Sequence[str], columns: Sequence[str]) -> None:
        self._sql = sql
        self._waiting: deque[Row] = deque()
        config = {"memory_limit": _MEMORY, "max_temp_directory_size": _DISK, "temp_directory": folder}
        connection = self._connection = duckdb.connect(":memory:", config={"threads": 1, **config})
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET integer_division = true")
        # From here on it can open nothing, nor be told otherwise.
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        shape = {name: COLUMNS[name] for name in columns if name in COLUMNS} or {"eventID": "VARCHAR"}
        self._shape = msgspec.json.encode(shape).decode()
        more = {JSON_COLUMN: "record", CHECKSUM_COLUMN: "sha256(record)"}
        self._more = "".join(f", {of} AS {name}" for name, of in more.items() if name in columns)
        for store in stores:
            connection.execute(f'CREATE TABLE "{store}" AS {self._rows_of_records()} LIMIT 0', [self._shape, "{}"])

    def _rows_of_records(self) -> str:
        # Records have no line breaks. A list of them would take DuckDB sixteen times as long.
        records = "SELECT unnest(string_split(?, chr(10))) AS record"
        return f"SELECT unnest(json_transform(record, ?)){self._more} FROM ({records})"

    def load(self, store: str, texts: list[str]) -> None:
        """Put records of events into the table of a store."""
        self._connection.execute(f'INSERT INTO "{store}" {self._rows_of_records()}', [self._shape, "\n".join(texts)])

    def begin(self) -> list[str]:
        """Execute the statement; return the names of the result's columns."""
        self._connection.execute(self._in_utc())
        return self._names()

    def _in_utc(self) -> str:
        """Return the statement so that times with a zone, which Python needs pytz for, come as times in UTC."""
        columns = [row[:2] for row in self._connection.execute(f"DESCRIBE {self._sql}").fetchall()]
        if not any(_ZONED in kind for _, kind in columns):
            return self._sql
        places = [f'"{place}"' for place in range(len(columns))]
        shown = ", ".join(
            f"CAST({place} AS {kind.replace(_ZONED, _UNZONED)}) AS {_quoted(name)}"
            for place, (name, kind) in zip(places, columns, strict=True)
        )
        return f"SELECT {shown} FROM ({self._sql}) AS result({', '.join(places)})"

    def _names(self) -> list[str]:
        return [str(column[0]) for column in self._connection.description or ()]

    def rows(self) -> list[Row]:
        """Return the next rows of the result; none at its end. Raises Failed."""
        if not self._waiting:
            names = self._names()
            for values in self._connection.fetchmany(_FETCHED):
                self._waiting.append([(name, written(value)) for name, value in zip(names, values, strict=True)])
        taken: list[Row] = []
        size = 0
        while self._waiting:
            size += sum(len(value) for _, value in self._waiting[0])
            if size > _LARGEST_ROW:
                break
            taken.append(self._waiting.popleft())
        if self._waiting and not taken:
            raise Failed("A row of the result is larger than 1 MiB: ask for less.")
        return taken

    def answer(self, request: Mapping[str, Any]) -> Any:
        """Do what is asked for. Raises Failed."""
        try:
            match request["do"]:
                case "load":
                    return self.load(request["store"], request["texts"])
                case "begin":
                    return self.begin()
                case "rows":
                    return self.rows()
        except duckdb.Error as error:
            # The other lines are advice on DuckDB's settings.
            raise Failed(str(error).partition("\n")[0]) from None
        except MemoryError:
            raise Failed("The query needs too much memory.") from None
        raise ValueError(request)


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


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
        case bytes():
            return value.hex(" ")
        case dict():
            parts = (f"{key}={written(each, inside=True)}" for key, each in value.items())
            return f"{{{', '.join(parts)}}}"
        case list() | tuple():
            return f"[{', '.join(written(each, inside=True) for each in value)}]"
    return str(value)


def _requests(source: BinaryIO) -> SimpleQueue[Any]:
    """Return where requests come, and None once there will be no more; soon after that the process ends."""
    requests: SimpleQueue[Any] = SimpleQueue()

    def read() -> None:
        while (request := frames.read(source)) is not None:
            requests.put(request)
        requests.put(None)
        # Who asked has gone, perhaps in the middle of a request.
        sleep(_GRACE_SECONDS)
        os._exit(0)

    Thread(target=read, daemon=True).start()
    return requests


def main() -> None:
    """Answer the requests for one statement, the first of which says what it is."""
    resource.setrlimit(resource.RLIMIT_DATA, (_PROCESS_BYTES, _PROCESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, _PROCESSOR_SECONDS))
    os.nice(_NICE)
    sink = sys.stdout.buffer
    requests = _requests(sys.stdin.buffer)
    first = requests.get()
    if first is None:
        return
    worker = Worker(first["folder"], first["sql"], first["stores"], first["columns"])
    while (request := requests.get()) is not None:
        try:
            answer = {"done": worker.answer(request)}
        except Failed as failed:
            answer = {"failed": str(failed)}
        sink.write(frames.written(answer))
        sink.flush()


if __name__ == "__main__":
    main()
