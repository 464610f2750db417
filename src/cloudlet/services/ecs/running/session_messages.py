"""Messages of Session Manager's data channel, as its plugin speaks it over a WebSocket.

aws/session-manager-plugin, `message/clientmessage.go` and `messageparser.go`: a header of fixed fields, then a payload.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import Any, Final, NamedTuple

import msgspec

_HEADER: Final = struct.Struct(">I32sIQqQ16s32sI")
_LENGTH: Final = struct.Struct(">I")
INPUT: Final = "input_stream_data"
OUTPUT: Final = "output_stream_data"
ACKNOWLEDGE: Final = "acknowledge"
CLOSED: Final = "channel_closed"
TEXT: Final = 1
SIZE: Final = 3
HANDSHAKE_REQUEST: Final = 5
HANDSHAKE_RESPONSE: Final = 6
HANDSHAKE_COMPLETE: Final = 7
FLAG: Final = 10
TERMINATE: Final = 2
"""The flag by which a client ends the session."""
_FIRST: Final = 1
_encode: Final = msgspec.json.Encoder().encode


class Message(NamedTuple):
    """A message."""

    kind: str
    sequence: int
    id: bytes
    payload_type: int
    payload: bytes


def parse(data: bytes) -> Message:
    """Return the message that some bytes are. Raises ValueError."""
    if len(data) < _HEADER.size + _LENGTH.size:
        raise ValueError("a message is too short")
    _, kind, _, _, sequence, _, identifier, digest, payload_type = _HEADER.unpack_from(data)
    payload = data[_HEADER.size + _LENGTH.size :]
    if hashlib.sha256(payload).digest() != digest:
        raise ValueError("a payload is damaged")
    return Message(kind.rstrip(b"\0 ").decode("ascii"), sequence, identifier, payload_type, payload)


def write(kind: str, sequence: int, payload: bytes, time: float, payload_type: int = 0) -> bytes:
    """Return the bytes of a message; `time` is in seconds since the epoch."""
    header = _HEADER.pack(
        _HEADER.size,
        kind.encode("ascii").ljust(32),
        1,
        int(time * 1000),
        sequence,
        _FIRST if sequence == 0 else 0,
        os.urandom(16),
        hashlib.sha256(payload).digest(),
        payload_type,
    )
    return header + _LENGTH.pack(len(payload)) + payload


def write_acknowledgement(message: Message, time: float) -> bytes:
    """Return the message that acknowledges another one."""
    # The halves of ids are in the other order than in their text.
    digits = (message.id[8:] + message.id[:8]).hex()
    identifier = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    content: dict[str, Any] = {
        "AcknowledgedMessageType": message.kind,
        "AcknowledgedMessageId": identifier,
        "AcknowledgedMessageSequenceNumber": message.sequence,
        "IsSequentialMessage": True,
    }
    return write(ACKNOWLEDGE, 0, _encode(content), time)
