"""What is stored of a log stream."""

from __future__ import annotations

import msgspec


class Stream(msgspec.Struct, array_like=True):
    """A log stream. Times are in milliseconds since the epoch."""

    id: int
    name: str
    created: int
    first: int | None = None
    """The timestamp of its first event."""
    last: int | None = None
    ingested: int | None = None
    batches: int = 0
    """How many rows of events have been put into it, ever."""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Stream).decode
