"""One client's connection: asyncio's Protocol over httptools' parser.

It knows nothing of AWS. A complete small request is given to the handler at once; a large or chunked one as soon as
its head is there, with a body that is read as it arrives. Requests of one connection are answered in order.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, cast

import httptools

from cloudlet.core.kernel.web import RawHeaders
from cloudlet.edge.back_pressure import RequestBody, WriteGate, discard
from cloudlet.edge.clients import Clients
from cloudlet.edge.connection_states import (
    BROKEN,
    CLOSED,
    CLOSING,
    COLLECTED_BODY,
    COLLECTING_BEGAN,
    HEAD,
    MALFORMED,
    REQUEST_BEGAN,
    REQUEST_ENDED,
    START,
    STREAMING_BEGAN,
    UPGRADABLE,
    UPGRADE_ASKED,
    UPGRADED,
    State,
    follow,
    is_receiving,
)
from cloudlet.edge.exchange import Exchange
from cloudlet.edge.heads import BODILESS, CONTINUE, MalformedRequest, headers_of, response_head, size_of, target_of
from cloudlet.edge.sendfile import FileSender
from cloudlet.store.eager import spawn
from cloudlet.wire.http import FileBody, HttpRequest, HttpResponse

log = logging.getLogger("cloudlet.edge")

_PIECE_BYTES: Final = 64 << 10
"""So much of what comes is looked at in one go, where it may be of many requests or of heads: others wait meanwhile."""
_PART_OVERHEAD_BYTES: Final = 64
"""What a part of a body takes besides what is in it."""

FORWARDED_FOR: Final = "x-forwarded-for"
FORWARDED_PROTO: Final = "x-forwarded-proto"


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(
        self,
        clients: Clients,
        *,
        forwarded: bool = False,
    ) -> None:
        self._clients = clients
        self._forwarded = forwarded
        self._limits = clients.limits
        self._handler = clients.handler
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self.peer = ""
        self.secure = False
        self.heard = clients.tick
        self.body_started = 0

        self._url = b""
        self._raw_headers: list[tuple[bytes, bytes]] = []
        self._headers: dict[str, str] = {}
        self._head_size = 0
        self._fed = 0
        self._is_amid = False
        """Whether what is being fed has to do with an earlier request too."""
        self._parts: list[bytes] = []
        self._held = 0
        """How much has come of the body that is being collected, or somewhat more."""
        self._stream: RequestBody | None = None
        self._body_left = 0
        """How much of a streamed body is still to come, where it has said so."""
        self._state: State = START
        self._started = 0
        self._unused = 0
        """How many bytes have come since the last of a streamed body: chunks' sizes, their extensions, trailers."""
        self._refusal: tuple[int, str] | None = None
        """The answer to what the client sent behind its requests, if that is no acceptable HTTP: status and reason."""

        self._current: Exchange | None = None
        self._ready: deque[Exchange] = deque()
        self._gate = WriteGate()
        self._sender: FileSender | None = None
        self._early = b""
        """What the client has sent behind a request to leave HTTP."""
        self._other: asyncio.Protocol | None = None
        """What has the connection, once it is no longer HTTP."""

    @property
    def upgradable(self) -> bool:
        """Whether the client wants to leave HTTP with the request that came last."""
        return self._state == UPGRADABLE

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        self.secure = transport.get_extra_info("sslcontext") is not None
        name = transport.get_extra_info("peername")
        self.peer = name[0] if name else ""
        if not self._clients.admit(self):
            self._refuse(503, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self._clients.forget(self)
        self._let_go()
        self._transport = None
        self._state = follow(self._state, CLOSED)
        self._gate.close()
        if self._other is not None:
            self._other.connection_lost(exc)
            self._other = None
        if self._sender is not None:
            self._sender.stop()
        if self._stream is not None:
            self._stream.abort()
        exchanges = [*self._ready] if self._current is None else [self._current, *self._ready]
        self._ready.clear()
        self._current = None
        for exchange in exchanges:
            exchange.abort()

    def data_received(self, data: bytes) -> None:
        self.heard = self._clients.tick
        if self._other is not None:
            self._other.data_received(data)
            return
        if self._state >= BROKEN:
            return
        if self._state == UPGRADABLE:
            self._early += data
            if len(self._early) > self._limits.head:
                self._refuse(400, "too much before the answer to an upgrade")
            return
        self._fed = len(data)
        if self._fed > _PIECE_BYTES and self._fed > self._body_left:
            for at in range(0, len(data), _PIECE_BYTES):
                self.data_received(data[at : at + _PIECE_BYTES])
            return
        self._is_amid = is_receiving(self._state)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._state = follow(self._state, UPGRADE_ASKED)
            self._early = data[upgrade.args[0] :]
        except (httptools.HttpParserError, MalformedRequest) as error:
            cause = error.__context__ if isinstance(error.__context__, MalformedRequest) else error
            if isinstance(cause, MalformedRequest):
                self._refuse_in_turn(cause.status, cause.reason)
            elif self._stream is None:
                self._refuse_in_turn(400, "malformed request")
            else:
                self._break_off(self._stream, "it is not chunked as it says")
        if self._stream is not None:
            self._unused += self._fed
            if self._unused > self._limits.head:
                self._break_off(self._stream, "a chunk's head, or the trailer, is too large")
        if self._state == HEAD or self._state == START:
            self._head_size += self._fed
            if self._head_size > self._limits.head:
                self._refuse_in_turn(431, "the request's head is too large")
        elif self._state == COLLECTED_BODY and not self._hold():
            self._refuse(503, "too much is being sent at once")
            return
        if self._current is None and self._ready:
            self._next()

    def _hold(self) -> bool:
        """Take note of what has come of a body that is not complete; return whether all that is not too much."""
        held = self._fed + _PART_OVERHEAD_BYTES
        self._held += held
        self._clients.held += held
        return self._clients.held <= self._limits.held

    def _let_go(self) -> None:
        self._clients.held -= self._held
        self._held = 0

    def pause_writing(self) -> None:
        self._gate.pause()
        if self._other is not None:
            self._other.pause_writing()

    def resume_writing(self) -> None:
        self._gate.resume()
        if self._other is not None:
            self._other.resume_writing()
        elif self._ready and self._current is None:
            asyncio.get_running_loop().call_soon(self._next)

    # -- httptools' callbacks

    def on_message_begin(self) -> None:
        self._url = b""
        self._raw_headers = []
        # What belongs to a request before it is not of this one's head.
        self._head_size = -self._fed if self._is_amid else 0
        self._state = follow(self._state, REQUEST_BEGAN)
        self._parts = []
        self.body_started = 0
        self._started = self._clients.tick

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._raw_headers.append((name, value))

    def on_headers_complete(self) -> None:
        headers = headers_of(self._raw_headers)
        if self._is_amid or self._head_size + self._fed > self._limits.head:
            self._check_head_size()
        self._headers = headers
        self._unused = -self._fed
        self.body_started = self._clients.tick
        length = headers.get("content-length")
        if length is not None:
            buffered = len(length) < 8 and int(length) <= self._limits.buffered_body
        else:
            coding = headers.get("transfer-encoding")
            buffered = coding is None
            if coding is not None and coding.lower() != "chunked":
                raise MalformedRequest(501, "of transfer codings only chunked is implemented")
        expects = headers.get("expect", "").lower() == "100-continue"
        if not buffered or (expects and length not in (None, "0")):
            # Who expects to be told whether to go on is told by whoever reads the body, or refuses to.
            stream = RequestBody(self._transport, self._send_continue if expects else None)
            self._stream = stream
            self._body_left = 0 if length is None else int(length)
            self._state = follow(self._state, STREAMING_BEGAN)
            self._enqueue(stream)
            return
        self._state = follow(self._state, COLLECTING_BEGAN)
        if expects and self._current is None and not self._ready:
            # There is nothing to go on with, but S3 says so: botocore takes the status of an answer without it for that
            # of the connection's next one too, and then misses where that one's head ends.
            self._send_continue()

    def _check_head_size(self) -> None:
        """Look closely, where what has been received may be more than the head alone."""
        if size_of(self._url, self._raw_headers) > self._limits.head:
            raise MalformedRequest(431, "the request's head is too large")

    def on_body(self, body: bytes) -> None:
        if self._stream is not None:
            self._unused = -self._fed
            self._body_left -= len(body)
            self._stream.feed(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        self._state = follow(self._state, REQUEST_ENDED)
        self._is_amid = True
        if self._stream is not None:
            self._stream.end()
            self._stream = None
            self._body_left = 0
            return
        parts = self._parts
        if self._held:
            self._let_go()
        self._enqueue(parts[0] if len(parts) == 1 else b"".join(parts))

    def _break_off(self, stream: RequestBody, reason: str) -> None:
        """Let whoever reads the body say what is wrong with it; as not all of it was read, the connection ends then."""
        self._state = follow(self._state, MALFORMED)
        self._stream = None
        stream.break_off(reason)

    def _enqueue(self, body: bytes | RequestBody) -> None:
        path, query = target_of(self._url)
        if self._forwarded:
            self.peer = self._headers.pop(FORWARDED_FOR, "")
            self.secure = self._headers.pop(FORWARDED_PROTO, "") == "https"
        request = HttpRequest(self._parser.get_method().decode("latin-1"), path, query, self._headers, body)
        keep_alive = self._parser.should_keep_alive()
        self._ready.append(Exchange(self, request, keep_alive))
        if len(self._ready) > self._limits.pipelined and self._transport is not None:
            self._transport.pause_reading()

    def _send_continue(self) -> None:
        if self._transport is not None:
            self._transport.write(CONTINUE)

    # -- answering, in order

    def _next(self) -> None:
        """Hand the next request to the handler, unless the client has not read what it was answered before."""
        while self._ready and self._current is None and not (self._state == CLOSING or self._gate.paused):
            exchange = self._ready.popleft()
            if len(self._ready) == self._limits.pipelined and self._transport is not None:
                self._transport.resume_reading()
            self._current = exchange
            try:
                self._handler.handle(exchange.request, exchange)
            except Exception:
                log.exception("the handler failed")
                self._current = None
                self._refuse(500, "internal error")

    def raw_headers_of(self, request: HttpRequest) -> RawHeaders:
        """Return the headers of a request as they came, if no other request has begun to come since."""
        return self._raw_headers if request.headers is self._headers and self._state != HEAD else ()

    def respond(self, exchange: Exchange, response: HttpResponse) -> None:
        transport = self._transport
        body = response.body
        if transport is None or exchange is not self._current:
            if type(body) is not bytes:
                spawn(discard(body))
            return
        streamed = type(body) is not bytes
        # After an upgrade that was not taken up, what follows is not to be read as HTTP.
        leaves = self._state == UPGRADABLE and not self._ready
        keep_alive = exchange.keep_alive and not (self._clients.stopping or leaves)
        keep_alive = keep_alive and (streamed or _is_read(exchange.request))
        head = response_head(response, keep_alive)
        if type(body) is bytes:
            if exchange.request.method == "HEAD" or response.status in BODILESS:
                transport.write(head)
            else:
                transport.write(head + body)
            self._answered(keep_alive)
        elif type(body) is FileBody:
            spawn(self._send_files(transport, head, body, keep_alive, exchange))
        else:
            chunked = b"transfer-encoding: chunked\r\n" in head
            spawn(self._stream_out(head, body, chunked, keep_alive, exchange))  # type: ignore[arg-type]

    def upgrade(self, exchange: Exchange, head: bytes, protocol: asyncio.Protocol) -> None:
        transport = self._transport
        if transport is None or exchange is not self._current:
            return
        if self._state != UPGRADABLE:
            raise RuntimeError("the client has not asked to leave HTTP")
        transport.write(head)
        early, self._early = self._early, b""
        self._state = follow(self._state, UPGRADED)
        self._other = protocol
        self._current = None
        self._raw_headers, self._headers, self._url = [], {}, b""
        protocol.connection_made(transport)
        if early:
            protocol.data_received(early)

    async def _send_files(
        self, transport: asyncio.Transport, head: bytes, body: FileBody, keep_alive: bool, exchange: Exchange
    ) -> None:
        self._sender = sender = FileSender(transport, self._gate)
        # The files come behind the head, past the transport: it must have nothing left to write.
        transport.set_write_buffer_limits(high=0)
        try:
            self._write(head)
            await self._gate.wait()
            if self._transport is not None:
                transport.set_write_buffer_limits()
                await sender.send(body)
        except Exception as error:
            # The head is out: all that is left to say is that the body is not whole.
            if not isinstance(error, ConnectionError):
                log.exception("a file could not be sent")
            transport.abort()
            return
        finally:
            self._sender = None
            body.close()
        if exchange is self._current:
            self._answered(keep_alive and _is_read(exchange.request))

    async def _stream_out(
        self, head: bytes, body: AsyncIterator[bytes], chunked: bool, keep_alive: bool, exchange: Exchange
    ) -> None:
        is_whole = await self._pour(head, body, chunked)
        await discard(body)
        if is_whole and exchange is self._current:
            self._answered(keep_alive and _is_read(exchange.request))

    async def _pour(self, head: bytes, body: AsyncIterator[bytes], chunked: bool) -> bool:
        """Write a streamed response; return whether all of it was."""
        try:
            self._write(head)
            async for part in body:
                if not part:
                    continue
                self._write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                await self._gate.wait()
                # A body may never wait itself: others have their turns all the same, and that a client has gone, whose
                # gate is open then, is noticed.
                await asyncio.sleep(0)
                if self._transport is None:
                    return False
            if chunked:
                self._write(b"0\r\n\r\n")
        except Exception:
            # The head is out: all that is left to say is that the body is not whole.
            log.exception("a streamed response broke off")
            if self._transport is not None:
                self._transport.abort()
            return False
        return True

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _answered(self, keep_alive: bool) -> None:
        self._current = None
        transport = self._transport
        if transport is None:
            return
        if not keep_alive:
            self.close()
        elif self._ready:
            asyncio.get_running_loop().call_soon(self._next)
        elif self._refusal is not None:
            self._refuse(*self._refusal)

    def _refuse(self, status: int, reason: str) -> None:
        """Answer what is no acceptable HTTP, and hang up.

        While an earlier request of the connection waits for its answer, this would be taken for that: none is sent.
        """
        if self._transport is not None and not (self._state == CLOSING or self._current is not None or self._ready):
            body = reason.encode()
            headers = [("content-type", "text/plain")]
            self._transport.write(response_head(HttpResponse(status, headers, body), False) + body)
        self.close()

    def _refuse_in_turn(self, status: int, reason: str) -> None:
        """Answer what is no acceptable HTTP once all that was asked before it is answered, and hang up."""
        if self._current is None and not self._ready:
            self._refuse(status, reason)
        else:
            self._refusal = status, reason
        self._state = follow(self._state, MALFORMED)

    def close(self) -> None:
        """Hang up; what is still to be answered is not."""
        passed_on = self._forwarded and (is_receiving(self._state) or self._state == BROKEN)
        self._state = follow(self._state, CLOSED)
        self._ready.clear()
        if self._transport is None:
            return
        if passed_on:
            # To write what nobody reads any more fails, and the answer would not be looked at: our own front door
            # hangs up once it has that.
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()

    # -- called by the server

    def check(self, tick: int) -> None:
        """Hang up on a client that has kept still for too long; called once a second."""
        limits, transport = self._limits, self._transport
        if transport is None:
            return
        if self._gate.paused_since and tick - self._gate.paused_since > limits.stalled:
            transport.abort()
        elif self._gate.paused and not self._gate.paused_since:
            self._gate.paused_since = tick
        elif is_receiving(self._state):
            if not self.body_started:
                if self._current is not None or self._ready:
                    # It may be here that nothing is read, while the client has others to be answered.
                    self._started = tick
                elif tick - self._started > limits.head_time:
                    self._refuse(408, "the request's head took too long")
            elif tick - self.heard > limits.stalled and not self._waits_for_reader():
                self._refuse(408, "the request's body took too long")
        elif self._other is None and self._current is None and tick - self.heard > limits.idle:
            self.close()

    def _waits_for_reader(self) -> bool:
        return self._stream is not None and self._stream.full

    def stop(self) -> None:
        """Close once what was accepted is answered."""
        if self._current is None and not self._ready and not is_receiving(self._state):
            self.close()


def _is_read(request: HttpRequest) -> bool:
    """Whether the request's body is through; what is left of it would be taken for the next request."""
    return not isinstance(request.body, RequestBody) or request.body.complete
