"""What is stored of log events: rows of them."""

from __future__ import annotations

from typing import Final

import msgspec

OVERHEAD = 26
"""Bytes that count for each event besides its message."""


class Row(msgspec.Struct, array_like=True):
    """Some events of one stream in one second. Times are in milliseconds since the epoch."""

    ingested: int
    timestamps: list[int]
    messages: list[str]

    @property
    def size(self) -> int:
        return sum(len(message.encode()) + OVERHEAD for message in self.messages)


class SealedRow(msgspec.Struct, array_like=True):
    """A row whose messages are encrypted by a data key of its log group."""

    ingested: int
    timestamps: list[int]
    sealed: bytes
    data_key: int
    """The number of the key."""
    size: int
    """The size of the row before it was sealed."""


StoredRow = Row | SealedRow
_SEALED: Final = 0x95
"""The first byte of a sealed row: in MessagePack, of an array with five elements."""

encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Row).decode
_decode_sealed = msgspec.msgpack.Decoder(SealedRow).decode


def is_sealed(raw: bytes) -> bool:
    """Whether stored bytes are a sealed row."""
    return raw[0] == _SEALED


def decode(raw: bytes) -> StoredRow:
    """Return a row as it is stored."""
    return _decode_sealed(raw) if raw[0] == _SEALED else _decode(raw)


def decode_plain(raw: bytes) -> Row:
    """Return a row that is known not to be sealed."""
    return _decode(raw)
