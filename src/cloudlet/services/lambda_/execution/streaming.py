"""The answer of a function that comes in pieces."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

_HIGH_BYTES = 1 << 20
_LOW_BYTES = 256 << 10
COLLECTED_BYTES = 8 << 20
"""What is kept of an answer that nobody reads in pieces: more than it may have."""


class Stream:
    """Pieces on their way from a function to a reader; the function is held back while the reader is behind."""

    def __init__(self, begun: asyncio.Future[None] | None) -> None:
        """`begun` is set once it is known that the answer comes in pieces; None: they are collected."""
        self.content_type = ""
        self._begun = begun
        self._pieces: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._is_read = True
        self.error = ""
        self._hold: Callable[[bool], None] = lambda held: None
        self._held = False
        self._waiter: asyncio.Future[None] | None = None

    def begin(self, content_type: str, hold: Callable[[bool], None]) -> None:
        """Say that there will be pieces; `hold` holds back whoever sends them."""
        self.content_type = content_type
        self._hold = hold
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    @property
    def has_begun(self) -> bool:
        """Whether the answer comes in pieces, as far as is known."""
        return self._begun is not None and self._begun.done()

    def feed(self, piece: bytes) -> None:
        if not self._is_read:
            return
        if self._begun is None:
            piece = piece[: COLLECTED_BYTES - self._bytes]
        self._pieces.append(piece)
        self._bytes += len(piece)
        if self._begun is not None and self._bytes > _HIGH_BYTES and not self._held:
            self._held = True
            self._hold(True)
        self._wake()

    def end(self, error: str = "") -> None:
        """There will be no more pieces."""
        self._ended = True
        self.error = self.error or error
        self._wake()

    def collected(self) -> bytes:
        """Return all pieces, unless somebody reads them as they come."""
        return b"".join(self._pieces) if self._begun is None else b""

    async def next(self) -> bytes | None:
        """Return the next piece, once it is there; None at the end."""
        while not self._pieces:
            if self._ended:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        piece = self._pieces.popleft()
        self._bytes -= len(piece)
        if self._bytes < _LOW_BYTES:
            self._let_go()
        return piece

    def abandon(self) -> None:
        """Keep no more pieces: nobody reads them. Developer guide, "Response streaming": the function goes on."""
        self._is_read = False
        self._pieces.clear()
        self._let_go()

    def _let_go(self) -> None:
        if self._held:
            self._held = False
            self._hold(False)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Pieces:
    """What somebody reads of a stream; once he lets go of this, the function goes on without him."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @property
    def content_type(self) -> str:
        """What the function has said they are; empty where it has not."""
        return self._stream.content_type

    @property
    def has_begun(self) -> bool:
        """Whether the function answers in pieces: all at once otherwise, or not at all."""
        return self._stream.has_begun

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._stream.next()
        if piece is None:
            raise StopAsyncIteration
        return piece

    def __del__(self) -> None:
        # A client may go at any time: before the response is begun nobody closes what would have been sent.
        self._stream.abandon()
