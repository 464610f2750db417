"""What is stored of a queue."""

from __future__ import annotations

import msgspec


class QueueRecord(msgspec.Struct, array_like=True, frozen=True):
    """What is stored of a queue. `created` and `modified` are in seconds, `purged` in milliseconds since the epoch."""

    id: int
    account: str
    region: str
    name: str
    created: int
    modified: int
    attributes: dict[str, str]
    """The attributes that were set, by name; for all others the defaults apply."""
    tags: dict[str, str]
    purged: int = 0


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(QueueRecord).decode
