"""The two values that pass between the HTTP server and the wire protocols."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol


class BodyStream(Protocol):
    """A request body that is read as it arrives; iterating gives chunks of bytes and applies back-pressure."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def read(self, limit: int) -> bytes:
        """Return the whole rest of the body; raise `ValueError` once it exceeds `limit` bytes."""


class HttpRequest:
    """A request as it came off the socket.

    `path` and `query` are raw (still percent-encoded, `query` without its question mark). Header names are
    lower-case; the values of a repeated header are joined with ", ". `body` is complete unless the operation
    takes a streaming payload.
    """

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes | BodyStream = b"",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers: dict[str, str] = {} if headers is None else headers
        self.body: bytes | BodyStream = body


class FilePart(NamedTuple):
    """`size` bytes of a file, from `offset` on."""

    path: Path
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class FileBody:
    """A body that is in files, one part after the other. `close` is called once it was sent, or will not be."""

    parts: Sequence[FilePart]
    close: Callable[[], None] = lambda: None

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)


class HttpResponse:
    """A response to be sent; an iterator as `body` is sent chunked, unless a Content-Length header is given."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: list[tuple[str, str]] | None = None,
        body: bytes | AsyncIterator[bytes] | FileBody = b"",
    ) -> None:
        self.status = status
        self.headers: list[tuple[str, str]] = [] if headers is None else headers
        self.body: bytes | AsyncIterator[bytes] | FileBody = body
