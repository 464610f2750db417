"""Pointers to log events, the field @ptr: they name a group and an event of it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cloudlet.core.aws import page_tokens
from cloudlet.services.logs import errors, events
from cloudlet.services.logs.events import Position


class Pointer(NamedTuple):
    """Where an event is. The number of its group tells it from later ones of that name."""

    group: str
    group_id: int
    event: str

    @property
    def position(self) -> Position:
        return events.position_of(self.event)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Pointer).decode


def written(pointer: Pointer) -> str:
    """Return a pointer as clients have it."""
    return page_tokens.make_page_token(_encode(pointer))


def read(text: str) -> Pointer:
    """Return the pointer that a client has. Raises AwsError."""
    wrong = errors.invalid("The specified logRecordPointer is invalid.")
    try:
        pointer = _decode(page_tokens.parse_page_token(text, wrong))
        events.position_of(pointer.event)
    except (ValueError, msgspec.MsgspecError):
        raise wrong from None
    return pointer
