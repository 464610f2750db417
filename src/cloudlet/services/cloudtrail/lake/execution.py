"""A statement under way, in a process of its own (`worker`)."""

from __future__ import annotations

import asyncio
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from cloudlet.engines.children import Child, start_piped
from cloudlet.services.cloudtrail.lake import frames
from cloudlet.services.cloudtrail.lake.queries import Row
from cloudlet.services.cloudtrail.lake.statement import Statement

_END_SECONDS = 5.0


class Failed(Exception):
    """The statement cannot be executed; the text says why."""


class _Answer(msgspec.Struct):
    done: msgspec.Raw = msgspec.Raw()
    failed: str = ""


_read_answer = msgspec.msgpack.Decoder(_Answer).decode
_read_names = msgspec.msgpack.Decoder(list[str]).decode
_read_rows = msgspec.msgpack.Decoder(list[Row]).decode


class Execution:
    """What is known of the process that executes a statement; its methods are called one after the other."""

    def __init__(
        self, process: Child, source: StreamReader, sink: StreamWriter, folder: TemporaryDirectory[str]
    ) -> None:
        self._process = process
        self._source = source
        self._sink = sink
        self._folder = folder

    @classmethod
    async def start(cls, statement: Statement, below: Path) -> Execution:
        """Start a process for a statement; what it has no memory for, it keeps below a folder."""
        folder = await asyncio.to_thread(partial(TemporaryDirectory, dir=below))
        command = [sys.executable, "-m", "cloudlet.services.cloudtrail.lake.worker"]
        try:
            process, source, sink = await start_piped(command)
        except BaseException:
            folder.cleanup()
            raise
        execution = cls(process, source, sink, folder)
        wanted = {"sql": statement.sql, "stores": statement.stores, "columns": statement.columns}
        execution._write({"folder": folder.name, **wanted})
        return execution

    async def load(self, store: str, texts: list[str]) -> None:
        """Put records of events into the table of a store. Raises Failed."""
        await self._ask({"do": "load", "store": store, "texts": texts})

    async def begin(self) -> list[str]:
        """Execute the statement; return the names of the result's columns. Raises Failed."""
        return _read_names(await self._ask({"do": "begin"}))

    async def rows(self) -> list[Row]:
        """Return the next rows of the result, about a mebibyte at most; none at its end. Raises Failed."""
        return _read_rows(await self._ask({"do": "rows"}))

    async def end(self) -> None:
        """End the process, whatever it is at."""
        self._sink.close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_SECONDS)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        await asyncio.to_thread(self._folder.cleanup)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    async def _ask(self, request: dict[str, Any]) -> msgspec.Raw:
        self._write(request)
        # A process that has ended shows when its answer is read.
        with suppress(ConnectionError):
            await self._sink.drain()
        try:
            length = int.from_bytes(await self._source.readexactly(frames.LENGTH_BYTES))
            answer = _read_answer(await self._source.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Failed("The query needs too much memory or time.") from None
        if answer.failed:
            raise Failed(answer.failed)
        return answer.done

    def _write(self, message: dict[str, Any]) -> None:
        self._sink.write(frames.written(message))
