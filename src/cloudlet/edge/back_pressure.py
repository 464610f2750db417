"""Back-pressure, both ways: how fast a body is read, and how fast a response is written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Final

from cloudlet.core.kernel.errors import AwsError
from cloudlet.wire.http import FileBody

_HIGH_WATER_BYTES: Final = 512 << 10
_LOW_WATER_BYTES: Final = 128 << 10


class RequestBody:
    """A request body that is read as it arrives; the client is held back while the reader is behind.

    Raises ConnectionResetError to the reader where the client goes away before the end, AwsError where what it sends
    is no body.
    """

    def __init__(self, transport: asyncio.Transport | None, on_first_read: Callable[[], None] | None) -> None:
        self._transport = transport
        self._on_first_read = on_first_read
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.complete = False

    @property
    def full(self) -> bool:
        """Whether the client is being held back."""
        return self._paused

    def feed(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        if self._size > _HIGH_WATER_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def end(self) -> None:
        self.complete = True
        self._wake()

    def abort(self) -> None:
        """Say that the client has gone."""
        self._fail(ConnectionResetError("the client went away before the end of the body"))

    def break_off(self, reason: str) -> None:
        """Say that nobody can tell what else is of the body."""
        self._fail(AwsError("IncompleteBody", f"The request's body cannot be read: {reason}.", status=400))

    def _fail(self, failure: Exception) -> None:
        self._failure = failure
        self._wake()

    def __aiter__(self) -> RequestBody:
        return self

    async def __anext__(self) -> bytes:
        if self._on_first_read is not None:
            wanted, self._on_first_read = self._on_first_read, None
            if not self._parts:
                wanted()
        while not self._parts:
            if self.complete:
                raise StopAsyncIteration
            if self._failure is not None:
                raise self._failure
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        part = self._parts.popleft()
        self._size -= len(part)
        if self._paused and self._size < _LOW_WATER_BYTES and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return part

    async def read(self, limit: int) -> bytes:
        """Return the whole rest of the body; raise ValueError once it exceeds `limit` bytes."""
        return await read_all(self, limit)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def read_all(body: AsyncIterable[bytes], limit: int) -> bytes:
    """Return all of a stream; raise ValueError once it exceeds `limit` bytes."""
    # Parts may be of a byte each: as objects they would take many times what they hold.
    whole = bytearray()
    async for part in body:
        whole += part
        if len(whole) > limit:
            raise ValueError(f"the body exceeds {limit} bytes")
    return bytes(whole)


async def discard(body: bytes | AsyncIterator[bytes] | FileBody) -> None:
    """Let go of a response's body that nobody will be sent, or that was."""
    if isinstance(body, FileBody):
        body.close()
    elif not isinstance(body, bytes):
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()


class WriteGate:
    """Closed while the transport's buffer is full."""

    def __init__(self) -> None:
        self.paused = False
        self.paused_since = 0
        self._waiter: asyncio.Future[None] | None = None

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self.paused_since = 0
        self._wake()

    def close(self) -> None:
        """The transport is gone: nobody waits any longer."""
        self.paused = False
        self._wake()

    async def wait(self) -> None:
        """Return once more may be written."""
        if self.paused:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
