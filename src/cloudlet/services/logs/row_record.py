"""What is stored of log events: rows of them."""

from __future__ import annotations

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


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Row).decode
