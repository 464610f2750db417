"""The processes in which S3 Select's queries are run (`select_worker`), and those that are kept for the next ones."""

from __future__ import annotations

import asyncio
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from typing import Any

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.children import Child, start_piped
from cloudlet.services.s3.querying import select_input
from cloudlet.store import StoreError

_COMMAND = (sys.executable, "-m", "cloudlet.services.s3.querying.select_worker")
_KEPT_SECONDS = 60.0


class _Answer(msgspec.Struct):
    """What a process answers. The query is over where it has neither begun nor found anything."""

    processed: int | None = None
    """Bytes that the query reads, once it has begun."""
    found: bool = False
    """There is another file with records."""
    code: str = ""
    message: str = ""
    status: int = 400
    unstored: str = ""
    """What the disk says, where it does not take something."""
    fault: str = ""
    """Where it is in the process itself."""


_decode = msgspec.json.Decoder(_Answer).decode


class Worker:
    """A process; one query is run in it at a time."""

    def __init__(self, process: Child, source: StreamReader, sink: StreamWriter) -> None:
        self._process = process
        self._source = source
        self._sink = sink
        self.is_free = True
        """Whether it can be asked for a query."""

    @classmethod
    async def start(cls) -> Worker:
        return cls(*await start_piped(_COMMAND))

    @property
    def is_alive(self) -> bool:
        return self._process.status is None

    async def begin(self, query: dict[str, Any]) -> int:
        """Begin a query; return how many bytes it reads. Raises AwsError, and StoreError."""
        self.is_free = False
        return (await self._ask(query)).processed or 0

    async def has_found(self) -> bool:
        """Whether there is another file with records; if not, the query is over. Raises AwsError, and StoreError."""
        answer = await self._ask(None)
        self.is_free = not answer.found
        return answer.found

    def kill(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._sink.close()

    async def end(self) -> None:
        """Return once it has ended, and writes nothing more."""
        self.kill()
        await self._process.wait()

    async def _ask(self, request: dict[str, Any] | None) -> _Answer:
        line = b""
        # It may have ended: then there is no answer.
        with suppress(ConnectionError):
            self._sink.write(msgspec.json.encode(request) + b"\n")
            await self._sink.drain()
        with suppress(ConnectionError):
            line = await self._source.readline()
        if not line:
            # The system has not given it the memory that it needed.
            raise select_input.too_long()
        answer = _decode(line)
        if answer.fault:
            raise RuntimeError(answer.fault)
        if answer.unstored:
            raise StoreError(answer.unstored)
        if answer.code:
            # What needs much memory may leave little to the next query.
            self.is_free = answer.code != select_input.TOO_LONG
            raise AwsError(answer.code, answer.message, status=answer.status)
        return answer


class Workers:
    """Processes of a block that wait for a query: starting one takes longer than most queries do."""

    def __init__(self) -> None:
        self._idle: dict[Worker, asyncio.TimerHandle] = {}

    async def take(self) -> Worker:
        """Return one that is free."""
        while self._idle:
            worker, timer = self._idle.popitem()
            timer.cancel()
            if worker.is_alive:
                return worker
            worker.kill()
        return await Worker.start()

    async def give_back(self, worker: Worker) -> None:
        """Keep one for the next query, or end it where it is busy with one that nobody waits for."""
        if worker.is_free and worker.is_alive:
            self._idle[worker] = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._end, worker)
        else:
            await worker.end()

    def _end(self, worker: Worker) -> None:
        del self._idle[worker]
        worker.kill()

    def end(self) -> None:
        """End all that wait."""
        while self._idle:
            worker, timer = self._idle.popitem()
            timer.cancel()
            worker.kill()


_WORKERS = PerBlock(lambda _: Workers())


def workers(block: Block) -> Workers:
    """Return the processes of a block."""
    return _WORKERS.get(block)


async def end_with(block: Block) -> None:
    """End what waits for queries when the block does."""
    try:
        await asyncio.Event().wait()
    finally:
        workers(block).end()
