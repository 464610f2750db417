"""The frames in which Cloudlet and the process of a function speak over a Unix socket.

A frame is the length of its body (4 bytes, big-endian), its kind (one byte), the length of the JSON with which the body
begins (4 bytes), and the body: the JSON, if any, and the payload.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

import msgspec

ASSIGN, RESTORE, INVOKE = b"A", b"V", b"I"
"""To the process: become this function; go on, now that you have been restored; serve this invocation."""
READY, INIT_FAILED = b"R", b"X"
"""From it: it has done the first or the second, or cannot go on, now or later, and ends; the payload of the latter is
AWS's error document."""
ANSWER, FAILED = b"r", b"e"
"""The invocation's result, or its error document."""
STREAM, CHUNK, STREAM_END = b"s", b"c", b"z"
"""A result in pieces: its content type, a piece, and the end, with an error if it broke off."""
LOG = b"l"
"""What it prints. `whole` says that all of it is one event."""

LARGEST_BYTES = 8 << 20
"""Of a frame from a process: no answer is larger, and what is printed comes in several."""
_HEAD = struct.Struct(">IcI")
_encode = msgspec.json.Encoder().encode
decoded = msgspec.json.Decoder().decode

OnFrame = Callable[[bytes, dict[str, Any], bytes], None]


class Link(Protocol):
    """The way to the process of a function, whatever it speaks."""

    def send(self, kind: bytes, told: dict[str, Any], payload: bytes = b"") -> None:
        """Tell it something; after it has gone this does nothing."""

    def hold(self, held: bool) -> None:
        """Take nothing more from it for now, or go on."""

    def close(self) -> None:
        """Hang up."""


def encoded(kind: bytes, told: dict[str, Any] | None = None, payload: bytes = b"") -> bytes:
    """Return a frame."""
    head = b"" if told is None else _encode(told)
    return _HEAD.pack(len(head) + len(payload), kind, len(head)) + head + payload


class Channel(asyncio.Protocol):
    """Cloudlet's end of the socket."""

    def __init__(self, on_frame: OnFrame, on_lost: Callable[[], None]) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_lost()

    def send(self, kind: bytes, told: dict[str, Any], payload: bytes = b"") -> None:
        """Send a frame; after the process has gone it does nothing."""
        if self._transport is not None:
            self._transport.write(encoded(kind, told, payload))

    def hold(self, held: bool) -> None:
        """Take nothing more from the process for now, or go on."""
        if self._transport is not None:
            if held:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        begin = 0
        while len(received) - begin >= _HEAD.size:
            size, kind, told = _HEAD.unpack_from(received, begin)
            if size > LARGEST_BYTES or told > size:
                self.close()
                return
            body = begin + _HEAD.size
            if len(received) - body < size:
                break
            begin = body + size
            try:
                head = decoded(received[body : body + told]) if told else {}
            except (ValueError, RecursionError):
                self.close()
                return
            self._on_frame(kind, head if isinstance(head, dict) else {}, bytes(received[body + told : begin]))
        del received[:begin]
