"""The two values that pass between the HTTP server and the wire protocols."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable


class BodyStream(Protocol):
    """A request body that is read as it arrives; iterating gives chunks of bytes and applies back-pressure."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def read(self, limit: int) -> bytes:
        """Return the whole rest of the body; raise `ValueError` once it exceeds `limit` bytes."""


@dataclass(slots=True)
class HttpRequest:
    """A request as it came off the socket.

    `path` and `query` are raw (still percent-encoded, `query` without its question mark). Header names are
    lower-case; the values of a repeated header are joined with ", ". `body` is complete unless the operation
    takes a streaming payload.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | BodyStream = b""


@runtime_checkable
class TrailedBody(Protocol):
    """A request body behind which headers come."""

    @property
    def trailers(self) -> Mapping[str, str]:
        """The headers behind it, by their names in lower case; complete once it was read to its end."""


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


@dataclass(slots=True)
class HttpResponse:
    """A response to be sent; an iterator as `body` is sent chunked, unless a Content-Length header is given."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | AsyncIterator[bytes] | FileBody = b""
