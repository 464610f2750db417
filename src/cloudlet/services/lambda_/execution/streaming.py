"""The answer of a function that comes in pieces."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

_HIGH_BYTES = 1 << 20
_LOW_BYTES = 256 << 10
COLLECTED_BYTES = 20 << 20
"""What is kept of an answer that nobody reads in pieces: the largest there is (guide, "Response streaming")."""


class Stream:
    """Pieces on their way from a function to a reader; the function is held back while the reader is behind."""

    def __init__(self, begun: asyncio.Future[None] | None) -> None:
        """`begun` is set once it is known that the answer comes in pieces; None: they are collected."""
        self.content_type = ""
        self._begun = begun
        self._pieces: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
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

    def feed(self, piece: bytes) -> None:
        if self._begun is None and self._bytes + len(piece) > COLLECTED_BYTES:
            return
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

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._bytes -= len(piece)
                if self._held and self._bytes < _LOW_BYTES:
                    self._held = False
                    self._hold(False)
                yield piece
            if self._ended:
                return
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
