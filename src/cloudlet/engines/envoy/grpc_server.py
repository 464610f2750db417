"""A server of gRPC streams, for what Envoy asks for and reports.

Source: gRPC over HTTP2, PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from cloudlet.store.eager import spawn

log = logging.getLogger("cloudlet.engines")

_MAX_MESSAGE_BYTES: Final = 4 << 20
"""The limit of gRPC's own libraries."""
_PREFIX: Final = struct.Struct("!BI")
_MAX_WAITING_MESSAGES: Final = 64
_MAX_TURN_SECONDS: Final = 0.005
"""The time after which a client that sends much waits for its next turn."""
_TURN_BYTES: Final = 4096
_HEADERS: Final = ((":status", "200"), ("content-type", "application/grpc"))
INVALID_ARGUMENT: Final = 3
UNIMPLEMENTED: Final = 12
PERMISSION_DENIED: Final = 7
NOT_FOUND: Final = 5
_OK: Final = 0
_INTERNAL: Final = 13
_RESOURCE_EXHAUSTED: Final = 8


class CallRefusal(Exception):
    """A call that is refused, with a status of gRPC."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Stream:
    """A call: messages of the client come in, and others go out. Used from one event loop."""

    def __init__(self, connection: _Connection, number: int, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self._connection = connection
        self._number = number
        self._partial = bytearray()
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._unacknowledged = 0
        """The bytes that were received, and for which the client has no new window yet."""
        self.window = asyncio.Event()
        self.has_answered = False
        """Whether anything was sent."""

    def feed(self, content: bytes, flow: int) -> None:
        """Take a part of the client's messages. Raises CallRefusal for one that is too large."""
        self._partial += content
        while len(self._partial) >= _PREFIX.size:
            compressed, size = _PREFIX.unpack_from(self._partial)
            if size > _MAX_MESSAGE_BYTES:
                raise CallRefusal(_RESOURCE_EXHAUSTED, f"a message of {size} bytes is too large")
            if compressed:
                raise CallRefusal(UNIMPLEMENTED, "messages are not to be compressed")
            if len(self._partial) < _PREFIX.size + size:
                break
            self._messages.put_nowait(bytes(self._partial[_PREFIX.size : _PREFIX.size + size]))
            del self._partial[: _PREFIX.size + size]
        # A client that is faster than its reader waits: its window opens as messages are read.
        if self._messages.qsize() < _MAX_WAITING_MESSAGES:
            self._connection.acknowledge(self._number, flow)
        else:
            self._unacknowledged += flow

    def end(self) -> None:
        """Take note that the client sends nothing more."""
        self._messages.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the client's messages until it ends the call."""
        while (message := await self._messages.get()) is not None:
            if self._unacknowledged and self._messages.qsize() < _MAX_WAITING_MESSAGES:
                self._connection.acknowledge(self._number, self._unacknowledged)
                self._unacknowledged = 0
            yield message

    async def send(self, message: bytes) -> None:
        """Send a message once the client takes it. Raises ConnectionError where the call has ended."""
        await self._connection.send(self, self._number, _PREFIX.pack(0, len(message)) + message)


Handler = Callable[[Stream], Awaitable[None]]
"""A function that answers a call; the call ends when it returns. It raises CallRefusal."""


class GrpcServer:
    """Answers calls by their paths, such as /package.Service/Method."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self.handlers = handlers
        self._connections: set[_Connection] = set()
        self._servers: list[asyncio.AbstractServer] = []

    async def listen(self, listening: socket.socket) -> asyncio.AbstractServer:
        """Take connections from a socket, which is closed with this, or with what is returned."""
        loop = asyncio.get_running_loop()
        create = loop.create_unix_server if listening.family is socket.AF_UNIX else loop.create_server
        made = await create(self._make_connection, sock=listening)
        self._servers = [each for each in self._servers if each.is_serving()]
        self._servers.append(made)
        return made

    def _make_connection(self) -> _Connection:
        return _Connection(self.handlers, self._connections)

    async def close(self) -> None:
        """End all connections, and take no more."""
        for server in self._servers:
            server.close()
        for each in list(self._connections):
            await each.close()


class _Connection(asyncio.Protocol):
    def __init__(self, handlers: Mapping[str, Handler], all_connections: set[_Connection]) -> None:
        self._handlers = handlers
        self._all = all_connections
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._streams: dict[int, Stream] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        """Received bytes that wait for their turn."""
        self._is_writable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._all.add(self)
        self._h2.initiate_connection()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._all.discard(self)
        for number in list(self._streams):
            self._lose(number)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._take_turn()

    def _take_turn(self) -> None:
        """Take what was received, for a short time: others have their turn before the rest."""
        until = time.monotonic() + _MAX_TURN_SECONDS
        while self._received and self._transport is not None and not self._transport.is_closing():
            part = bytes(self._received[:_TURN_BYTES])
            del self._received[:_TURN_BYTES]
            self._take_part(part)
            if time.monotonic() >= until and self._received:
                asyncio.get_running_loop().call_soon(self._take_turn)
                break
        self._adjust_reading()

    def _take_part(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except (h2.exceptions.ProtocolError, UnicodeDecodeError) as error:
            log.warning("a gRPC client does not keep to HTTP/2: %s", error)
            self._flush()
            if self._transport is not None:
                self._transport.close()
            return
        for event in events:
            self._take(event)
        self._flush()

    def pause_writing(self) -> None:
        self._is_writable = False
        self._adjust_reading()

    def resume_writing(self) -> None:
        self._is_writable = True
        self._adjust_reading()

    def _adjust_reading(self) -> None:
        """Read from a client that takes its answers, once what it has sent was taken."""
        if self._transport is None or self._transport.is_closing():
            return
        is_ready = self._is_writable and not self._received
        if is_ready and not self._transport.is_reading():
            self._transport.resume_reading()
        elif not is_ready and self._transport.is_reading():
            self._transport.pause_reading()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._begin(event)
        elif isinstance(event, h2.events.DataReceived):
            stream = self._streams.get(event.stream_id)
            if stream is None:
                self.acknowledge(event.stream_id, event.flow_controlled_length)
                return
            try:
                stream.feed(event.data, event.flow_controlled_length)
            except CallRefusal as refused:
                self._finish(event.stream_id, refused.status, str(refused), has_answered=stream.has_answered)
                self._lose(event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            if event.stream_id in self._streams:
                self._streams[event.stream_id].end()
        elif isinstance(event, h2.events.StreamReset):
            self._lose(event.stream_id)
        elif isinstance(event, h2.events.WindowUpdated):
            for number, stream in self._streams.items():
                if event.stream_id in (0, number):
                    stream.window.set()

    def _begin(self, event: h2.events.RequestReceived) -> None:
        number = event.stream_id
        headers = {str(name): str(value) for name, value in event.headers or ()}
        stream = self._streams[number] = Stream(self, number, headers)
        self._tasks[number] = spawn(self._serve(stream, number))

    async def _serve(self, stream: Stream, number: int) -> None:
        status, message = _OK, ""
        try:
            handler = self._handlers.get(stream.headers.get(":path", ""))
            if handler is None:
                raise CallRefusal(UNIMPLEMENTED, "there is no such method")
            await handler(stream)
        except CallRefusal as refused:
            status, message = refused.status, str(refused)
        except ConnectionError:
            return
        except Exception:
            log.exception("a call of %s failed", stream.headers.get(":path"))
            status, message = _INTERNAL, "the call failed"
        finally:
            self._streams.pop(number, None)
            self._tasks.pop(number, None)
        self._finish(number, status, message, has_answered=stream.has_answered)

    def _finish(self, number: int, status: int, message: str, *, has_answered: bool) -> None:
        trailers = [("grpc-status", str(status))]
        if message:
            trailers.append(("grpc-message", _escape(message)))
        with suppress(h2.exceptions.ProtocolError):
            # Where nothing was answered, the end is all of the answer ("Trailers-Only").
            self._h2.send_headers(number, trailers if has_answered else [*_HEADERS, *trailers], end_stream=True)
        self._flush()

    def _lose(self, number: int) -> None:
        self._streams.pop(number, None)
        task = self._tasks.pop(number, None)
        if task is not None:
            task.cancel()

    def acknowledge(self, number: int, size: int) -> None:
        """Let the client send as much again."""
        with suppress(h2.exceptions.ProtocolError):
            if size:
                self._h2.acknowledge_received_data(size, number)
        self._flush()

    async def send(self, stream: Stream, number: int, content: bytes) -> None:
        """Send a message as the client's windows let it. Raises ConnectionError."""
        if not stream.has_answered and number in self._streams:
            stream.has_answered = True
            self._h2.send_headers(number, _HEADERS)
        rest = memoryview(content)
        while rest:
            if self._transport is None or number not in self._streams:
                raise ConnectionResetError("the call has ended")
            room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size, len(rest))
            if room <= 0:
                stream.window.clear()
                await stream.window.wait()
                continue
            self._h2.send_data(number, bytes(rest[:room]))
            rest = rest[room:]
            self._flush()

    def _flush(self) -> None:
        waiting = self._h2.data_to_send()
        if waiting and self._transport is not None:
            self._transport.write(waiting)

    async def close(self) -> None:
        """End all calls, and the connection."""
        tasks = list(self._tasks.values())
        for number in list(self._streams):
            self._lose(number)
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._transport is not None:
            self._h2.close_connection(h2.errors.ErrorCodes.NO_ERROR)
            self._flush()
            self._transport.close()


def _escape(message: str) -> str:
    """Return a message of a status as it may stand in a header."""
    return "".join(chr(each) if 0x20 <= each <= 0x7E and each != 0x25 else f"%{each:02X}" for each in message.encode())
