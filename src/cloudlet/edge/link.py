"""What goes between the process that has the blocks and a reader beside it: messages, and connections.

Messages go over a pair of Unix stream sockets, each behind its length. Connections go over a pair of sequenced-packet
sockets, each with what has been read from it and not been answered. Only the two processes have the other ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import msgspec

from cloudlet.edge.root_keys import RootKey

log = logging.getLogger("cloudlet.edge")

_PIECE_BYTES = 64 << 10
"""How much of what was read from a connection goes into one packet."""
_LARGEST_PACKET_BYTES = _PIECE_BYTES + 1024
_LENGTH_BYTES = 4
_NO_LENGTH = bytes(_LENGTH_BYTES)


class Opening(msgspec.Struct, tag=0, array_like=True):
    """To a reader, first of all: what it has to know."""

    strict: bool
    public_host: str
    master_key: bytes
    root_keys: list[RootKey]


class Answer(msgspec.Struct, tag=1, array_like=True):
    """To a reader: the response to what it has asked."""

    id: int
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Wanted(msgspec.Struct, tag=2, array_like=True):
    """To a reader: the connection of what it has asked is wanted, to be answered there by a stream or by files."""

    id: int


class Retire(msgspec.Struct, tag=3, array_like=True):
    """To a reader: give back all connections."""


class Asked(msgspec.Struct, tag=0, array_like=True):
    """From a reader: a request whose signature is right, or whose key is unknown and let in."""

    id: int
    route: tuple[str, str, str]
    """The names of the service's model, of the protocol and of the operation."""
    address: tuple[str, str] | None
    """What the model reads instead of the path and the query string."""
    region: str
    principal: tuple[str, str, str, str, str, str]
    expires: float | None
    """When the credentials expire, in seconds since the epoch by the cloud's clock, which the reader does not know."""
    peer: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


class Gone(msgspec.Struct, tag=1, array_like=True):
    """From a reader: the client that asked has gone."""

    id: int


class Ready(msgspec.Struct, tag=2, array_like=True):
    """From a reader: it takes connections."""


class Handed(msgspec.Struct, array_like=True, kw_only=True):
    """With a connection that goes over."""

    read: bytes = b""
    """What was read from it and is still to be answered, but for the request that is."""
    answers: int | None = None
    """The request that is to be answered on it."""
    more: int = 0
    """How many bytes of it come behind."""
    stays: bool = False
    """Whether there was a reason to hand it over, that is, its requests are not for readers."""


ToReader = Opening | Answer | Wanted | Retire
FromReader = Asked | Gone | Ready

_TOGETHER = 4
"""How many messages go together: more at once are cheaper, but the other process has nothing to do meanwhile."""

_encode_into = msgspec.msgpack.Encoder().encode_into
_encode = msgspec.msgpack.Encoder().encode
_decode_handed = msgspec.msgpack.Decoder(Handed).decode


class Messages(asyncio.Protocol):
    """One end of the way that messages go."""

    def __init__(
        self,
        kinds: msgspec.msgpack.Decoder[ToReader] | msgspec.msgpack.Decoder[FromReader],
        take: Callable[[ToReader | FromReader], None],
        ended: Callable[[], None],
    ) -> None:
        """`take` is given each message that comes; `ended` is called when the other process has gone."""
        self._decode = kinds.decode
        self._take = take
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._out = bytearray()
        self._gathered = 0
        self._loop = asyncio.get_running_loop()

    def send(self, message: ToReader | FromReader) -> None:
        """Send a message, together with a few others of this turn of the event loop.

        One to a process that has gone is dropped. Raises UnicodeEncodeError for text that is none, as bytes of no
        encoding become.
        """
        out = self._out
        if not out:
            self._loop.call_soon(self._flush)
        at = len(out)
        begin = at + _LENGTH_BYTES
        out += _NO_LENGTH
        try:
            _encode_into(message, out, begin)
        except UnicodeEncodeError:
            # What was begun of it would be taken for a message.
            del out[at:]
            raise
        out[at:begin] = (len(out) - begin).to_bytes(_LENGTH_BYTES, "little")
        self._gathered += 1
        if self._gathered == _TOGETHER:
            self._flush()

    def _flush(self) -> None:
        transport = self._transport
        out, self._out = self._out, bytearray()
        self._gathered = 0
        if transport is None or not out:
            return
        sent = 0
        if not transport.get_write_buffer_size():
            # The transport would wait for the end of the turn. Where the other process has gone, it finds out, too.
            with suppress(OSError):
                sent = os.write(transport.get_extra_info("socket").fileno(), out)
        if sent < len(out):
            transport.write(out[sent:])

    def close(self) -> None:
        """Close once what was sent is through."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._ended()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while size - at >= _LENGTH_BYTES:
            begin = at + _LENGTH_BYTES
            end = begin + int.from_bytes(data[at:begin], "little")
            if end > size:
                break
            self._take(self._decode(data[begin:end]))
            at = end
        self._rest = data[at:] if at else data


TO_READER = msgspec.msgpack.Decoder(ToReader)
FROM_READER = msgspec.msgpack.Decoder(FromReader)


class Connections:
    """One end of the way that connections go. Used from one event loop, with a socket that does not block."""

    def __init__(self, end: socket.socket, take: Callable[[socket.socket, Handed], None]) -> None:
        """`take` is given each connection that comes."""
        self._end = end
        self._take = take
        self._waiting: deque[tuple[int | None, bytes]] = deque()
        self._arriving: tuple[socket.socket, Handed] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end, self.receive)

    def send(self, connection: socket.socket, handed: Handed) -> None:
        """Send a connection; the caller may close his own afterwards."""
        read = handed.read
        handed.read, handed.more = read[:_PIECE_BYTES], max(0, len(read) - _PIECE_BYTES)
        idle = not self._waiting
        self._waiting.append((os.dup(connection.fileno()), _encode(handed)))
        for at in range(_PIECE_BYTES, len(read), _PIECE_BYTES):
            self._waiting.append((None, read[at : at + _PIECE_BYTES]))
        if idle:
            self._send_waiting()
            if self._waiting:
                self._loop.add_writer(self._end, self._send_waiting)

    def close(self) -> None:
        self._loop.remove_reader(self._end)
        self._loop.remove_writer(self._end)
        for descriptor, _ in self._waiting:
            if descriptor is not None:
                os.close(descriptor)
        self._waiting.clear()
        if self._arriving is not None:
            self._arriving[0].close()
        self._end.close()

    def _send_waiting(self) -> None:
        while self._waiting:
            descriptor, packet = self._waiting[0]
            try:
                if descriptor is None:
                    self._end.send(packet)
                else:
                    socket.send_fds(self._end, [packet], [descriptor])
            except BlockingIOError:
                return
            except OSError as error:
                # The other process has gone: whoever waits for an answer on the connection sees it closed.
                log.debug("a connection could not go over: %s", error)
            self._waiting.popleft()
            if descriptor is not None:
                os.close(descriptor)
        self._loop.remove_writer(self._end)

    def receive(self) -> None:
        """Take what has come."""
        while True:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._end, _LARGEST_PACKET_BYTES, 1)
            except BlockingIOError:
                return
            except ConnectionError:
                packet = b""
            if not packet:
                # The other process has gone, which its messages' end tells.
                self._loop.remove_reader(self._end)
                return
            self._receive(packet, descriptors)

    def _receive(self, packet: bytes, descriptors: list[int]) -> None:
        if self._arriving is not None:
            connection, handed = self._arriving
            handed.read += packet
            handed.more -= len(packet)
        elif descriptors:
            connection, handed = socket.socket(fileno=descriptors[0]), _decode_handed(packet)
            connection.setblocking(False)
        else:
            raise OSError("a connection was lost on its way: this process may have no more files open")
        self._arriving = (connection, handed) if handed.more else None
        if not handed.more:
            self._take(connection, handed)
