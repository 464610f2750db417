"""One request, and the way to answer it, wherever it came from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from cloudlet.core.kernel.web import RawHeaders
from cloudlet.wire import HttpRequest, HttpResponse


class ResponseSink(Protocol):
    """Where a request came from, and its response goes."""

    @property
    def peer(self) -> str: ...

    @property
    def secure(self) -> bool: ...

    @property
    def upgradable(self) -> bool: ...

    def raw_headers_of(self, request: HttpRequest) -> RawHeaders: ...

    def respond(self, exchange: Exchange, response: HttpResponse) -> None: ...

    def upgrade(self, exchange: Exchange, head: bytes, protocol: asyncio.Protocol) -> None: ...


class Exchange:
    """One request and the way to answer it."""

    __slots__ = ("_connection", "answered", "gone", "keep_alive", "on_abort", "request")

    def __init__(self, connection: ResponseSink, request: HttpRequest, keep_alive: bool) -> None:
        self._connection = connection
        self.request = request
        self.keep_alive = keep_alive
        self.answered = False
        self.gone = False
        """Whether the client has gone away before it was answered."""
        self.on_abort: Callable[[], None] | None = None
        """Called when the client goes away before it was answered."""

    @property
    def peer(self) -> str:
        """The client's address."""
        return self._connection.peer

    @property
    def secure(self) -> bool:
        """Whether the client came over TLS."""
        return self._connection.secure

    @property
    def upgradable(self) -> bool:
        """Whether the client asks to leave HTTP."""
        return self._connection.upgradable

    @property
    def raw_headers(self) -> RawHeaders:
        """The request's headers as the client wrote them; none where that is not known any more."""
        return self._connection.raw_headers_of(self.request)

    def respond(self, response: HttpResponse) -> None:
        """Send the response. Called once; after the client has gone it does nothing."""
        # What would be aborted refers to this exchange: let go of it, so that neither has to wait for the collector.
        self.answered = True
        self.on_abort = None
        self._connection.respond(self, response)

    def upgrade(self, head: bytes, protocol: asyncio.Protocol) -> None:
        """Send a response that leaves HTTP, and give the connection to what speaks something else on it.

        Instead of `respond`; after the client has gone it does nothing.
        """
        self.answered = True
        self.on_abort = None
        self._connection.upgrade(self, head, protocol)

    def abort(self) -> None:
        """Say that the client has gone."""
        self.gone = True
        abort, self.on_abort = self.on_abort, None
        if abort is not None:
            abort()


class Handler(Protocol):
    """Answers requests: calls `exchange.respond` once, now or later, on the event loop."""

    def handle(self, request: HttpRequest, exchange: Exchange) -> None: ...
