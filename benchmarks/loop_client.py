"""A light client for what wrk cannot do: to send exactly so many requests, as to fill a queue.

Callbacks on raw connections, one request at a time on each, and HTTP read by hand. The same client drives every
contender.
"""

import asyncio
import gc
import itertools
import re
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import msgspec
import uvloop

from benchmarks.signing import Signer, StaticRequest

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
BATCH = 10
# Time for requests under way when the measurement is over.
GRACE_SECONDS = 30.0

T = TypeVar("T")


class LoopFailed(Exception):
    """The server answered with an error, lost messages, or broke a connection."""


class _BatchResult(msgspec.Struct):
    Successful: list[msgspec.Raw] = []
    Failed: list[msgspec.Raw] = []


_decode_batch = msgspec.json.Decoder(_BatchResult).decode


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection: `send` a request, `answered` gets the body of its 200, anything else fails.

    Where the server closes after an answer, as moto's does, the next request goes over a new connection.
    """

    def __init__(self, host: str, answered: Callable[[bytes], None], failed: Callable[[str], None]) -> None:
        self._address, _, port = host.partition(":")
        self._port = int(port)
        self._answered = answered
        self._failed = failed
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[object] | None = None
        self._request = b""
        self._received = b""
        self._body_at = 0
        self._length = 0
        self._closes = False
        self._dropped = 0

    def send(self, request: bytes) -> None:
        """Sends one request; the one before must have been answered."""
        self._request = request
        if self._transport is None:
            loop = asyncio.get_running_loop()
            self._connecting = loop.create_task(self._connect(loop))
        else:
            self._transport.write(request)

    def close(self) -> None:
        """Closes the connection; an answer still under way is dropped."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
            self._dropped += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the request that the connection was opened for."""
        # A cast, since uvloop's transports are not of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails, unless it was `close` that ended the connection."""
        if self._dropped:
            self._dropped -= 1
        else:
            self._failed(f"connection lost: {exc or 'closed by the server'}")

    def data_received(self, data: bytes) -> None:
        """Gathers one answer and hands on its body."""
        if self._received:
            data = self._received + data
        if not self._body_at:
            head_end = data.find(b"\r\n\r\n")
            if head_end < 0:
                self._received = data
                return
            length = CONTENT_LENGTH.search(data, 0, head_end)
            if length is None:
                self._failed(f"an answer without a length: {data[:200]!r}")
                return
            self._closes = CLOSES.search(data, 0, head_end) is not None
            self._body_at = head_end + 4
            self._length = int(length[1])
        if len(data) < self._body_at + self._length:
            self._received = data
            return
        body = data[self._body_at :]
        self._received = b""
        self._body_at = 0
        if data[9:12] != b"200":
            self._failed(f"{data[:15]!r}: {body[:300]!r}")
            return
        if self._closes:
            self.close()
        self._answered(body)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.create_connection(lambda: self, self._address, self._port)
        except OSError as error:
            self._failed(f"no connection: {error}")


@dataclass
class Filled:
    """How many messages were put into a queue, and in how many seconds."""

    messages: int = 0
    seconds: float = 0.0


def fill(
    signer: Signer, host: str, batches: Sequence[bytes], messages: int, seconds: float, connections: int
) -> Filled:
    """Sends `messages` (a multiple of ten) by these batches of ten in turn, fewer if `seconds` are over before."""
    return _run(_fill(signer, host, batches, messages, seconds, connections))


def _run(work: Coroutine[object, object, T]) -> T:
    gc.collect()
    gc.disable()
    try:
        return uvloop.run(work)
    finally:
        gc.enable()


class _Crew:
    """The connections of one measurement: done when all have finished or one has failed."""

    def __init__(self, size: int) -> None:
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = loop.create_future()
        # An answer that makes no sense raises in a callback, where nobody else would hear of it.
        loop.set_exception_handler(lambda _, context: self.fail(repr(context.get("exception") or context["message"])))
        self._working = size

    def finish(self) -> None:
        self._working -= 1
        if not self._working and not self.over.done():
            self.over.set_result(None)

    def fail(self, reason: str) -> None:
        if not self.over.done():
            self.over.set_exception(LoopFailed(reason))

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.over, seconds + GRACE_SECONDS)
        except TimeoutError:
            raise LoopFailed(f"a request was not answered within {GRACE_SECONDS:.0f} s") from None


class _Producer:
    def __init__(
        self, host: str, requests: Iterator[StaticRequest], filled: Filled, messages: int, deadline: float, crew: _Crew
    ) -> None:
        self.connection = Connection(host, self._sent, crew.fail)
        self._requests = requests
        self._filled = filled
        self._messages = messages
        self._deadline = deadline
        self._crew = crew

    def send(self) -> None:
        if self._filled.messages >= self._messages or time.perf_counter() >= self._deadline:
            self._crew.finish()
            return
        self._filled.messages += BATCH
        self.connection.send(next(self._requests).bytes())

    def _sent(self, body: bytes) -> None:
        result = _decode_batch(body)
        if result.Failed or len(result.Successful) != BATCH:
            self._crew.fail(f"SendMessageBatch did not take all: {body[:300]!r}")
            return
        self.send()


async def _fill(
    signer: Signer, host: str, batches: Sequence[bytes], messages: int, seconds: float, connections: int
) -> Filled:
    requests = itertools.cycle([StaticRequest(signer, "SendMessageBatch", batch) for batch in batches])
    crew = _Crew(connections)
    filled = Filled()
    began = time.perf_counter()
    producers = [_Producer(host, requests, filled, messages, began + seconds, crew) for _ in range(connections)]
    try:
        for producer in producers:
            producer.send()
        await crew.wait(seconds)
        filled.seconds = time.perf_counter() - began
    finally:
        for producer in producers:
            producer.connection.close()
    return filled
