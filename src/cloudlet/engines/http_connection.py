"""One connection of the HTTP client: asyncio's Protocol over httptools' parser of responses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal, cast

import httptools

Kind = Literal["connect", "tls", "timeout", "closed", "protocol", "too-large"]
Headers = list[tuple[str, str]]

_HEAD_BYTES = 64 << 10
_FRAMING = 8
"""So many times the size of a body a response may have: chunks of one byte take six bytes each."""
_SEPARATE_BODY_BYTES = 64 << 10


class HttpError(Exception):
    """There was no response: `kind` says at which step it ended."""

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind: Kind = kind


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response; header names are in lower case."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of this (lower-case) name."""
        return next((value for known, value in self.headers if known == name), None)


class Connection(asyncio.Protocol):
    """A connection, with at most one request under way."""

    def __init__(self) -> None:
        self.open = False
        """Whether it can take a request."""
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[HttpResponse] | None = None
        self._begin("", 0)

    def _begin(self, method: str, limit: int) -> None:
        self._method, self._limit = method, limit
        self._status = self._heard = 0
        self._headers: Headers = []
        self._body = bytearray()

    async def exchange(self, method: str, head: bytes, body: bytes, limit: int) -> HttpResponse:
        """Send a request and return the response, with a body of at most `limit` bytes. Raises HttpError."""
        if self._transport is None or not self.open:
            raise HttpError("closed", "the server closed the connection")
        self._begin(method, limit)
        self._answer = asyncio.get_running_loop().create_future()
        if len(body) > _SEPARATE_BODY_BYTES:
            self._transport.writelines((head, body))
        else:
            self._transport.write(head + body)
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._answer = None

    @property
    def unheard(self) -> bool:
        """Whether nothing came back for the last request."""
        return self._heard == 0

    def close(self) -> None:
        """Close it at once, whatever is under way."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.open = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()
            return
        self._heard += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail("protocol", f"the response is not HTTP/1.1: {error}")
        if not self._status and self._heard > _HEAD_BYTES:
            self._fail("too-large", f"the head of the response is larger than {_HEAD_BYTES} bytes")
        elif self._heard > _HEAD_BYTES + _FRAMING * self._limit:
            self._fail("too-large", "what frames the response's body is larger than that may be")

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        framed = any(name in ("content-length", "transfer-encoding") for name, _ in self._headers)
        if self._status and not framed and error is None:
            self._succeed()
        else:
            reason = error or "end of data"
            self._fail("closed", f"the connection was closed before the response was complete: {reason}")

    # -- the parser's callbacks

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():
            # More than the answer came: nothing on this connection can be trusted any more.
            self.open = False

    def on_header(self, name: bytes, value: bytes) -> None:
        # What follows a body of chunks is no part of the head (RFC 9110, section 6.5.1).
        if not self._status:
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []
            return
        self._status = status
        if self._method == "HEAD":
            # The parser would take what follows for the body of this response.
            self._succeed()
            self.close()

    def on_body(self, body: bytes) -> None:
        if len(self._body) + len(body) > self._limit:
            self._fail("too-large", f"the response is larger than {self._limit} bytes")
        else:
            self._body += body

    def on_message_complete(self) -> None:
        if self._status:
            self.open = self.open and self._parser.should_keep_alive()
            self._succeed()

    def _succeed(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(HttpResponse(self._status, self._headers, bytes(self._body)))
            # Connections rest for long, and a body may be large.
            self._headers, self._body = [], bytearray()

    def _fail(self, kind: Kind, reason: str) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(HttpError(kind, reason))
