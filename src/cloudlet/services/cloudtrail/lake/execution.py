"""A statement under way, in a process of its own (`worker`)."""

from __future__ import annotations

import asyncio
import sys
from asyncio import StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

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

    def __init__(self, process: Process, folder: TemporaryDirectory[str]) -> None:
        self._process = process
        self._folder = folder

    @classmethod
    async def start(cls, statement: Statement, below: Path) -> Execution:
        """Start a process for a statement; what it has no memory for, it keeps below a folder."""
        folder = await asyncio.to_thread(partial(TemporaryDirectory, dir=below))
        command = [sys.executable, "-m", "cloudlet.services.cloudtrail.lake.worker"]
        try:
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        except BaseException:
            folder.cleanup()
            raise
        execution = cls(process, folder)
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
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_SECONDS)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        await asyncio.to_thread(self._folder.cleanup)

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _ask(self, request: dict[str, Any]) -> msgspec.Raw:
        sink, source = self._write(request), self._process.stdout
        if source is None:
            raise RuntimeError("a pipe was asked for")
        # A process that has ended shows when its answer is read.
        with suppress(ConnectionError):
            await sink.drain()
        try:
            length = int.from_bytes(await source.readexactly(frames.LENGTH_BYTES))
            answer = _read_answer(await source.readexactly(length))
        except asyncio.IncompleteReadError:
            raise Failed("The query needs too much memory or time.") from None
        if answer.failed:
            raise Failed(answer.failed)
        return answer.done

    def _write(self, message: dict[str, Any]) -> StreamWriter:
        sink = self._process.stdin
        if sink is None:
            raise RuntimeError("a pipe was asked for")
        sink.write(frames.written(message))
        return sink
