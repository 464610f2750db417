"""An event that waits for its function, and how it is kept. Times are in seconds since the epoch."""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.lambda_.directory import Named
from cloudlet.services.lambda_.function import Place

TOPIC = b"events"
_EVENTS = Subspace("event")
"""When it is due, request id → the event."""
_encode = msgspec.msgpack.Encoder().encode


class Event(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is to be given to a function, once."""

    place: Place
    qualifier: str
    """What of the function was named; empty for nothing."""
    request_id: str
    payload: bytes
    accepted: float
    due: float
    client_context: bytes = b""
    """JSON; empty for none."""
    trace: str = ""
    attempts: int = 0
    """How often the function has failed with it."""
    refusals: int = 0
    """How often it could not be given to the function since that was last called: it was throttled, say."""

    @property
    def what(self) -> Named:
        return Named(self.place, self.qualifier or None)

    @property
    def key(self) -> bytes:
        return _EVENTS.key(self.due, self.request_id)


_decode = msgspec.msgpack.Decoder(Event).decode


def put(tx: Transaction, event: Event) -> None:
    """Keep an event until it is due."""
    tx.put(event.key, _encode(event))
    tx.notify(TOPIC)


async def first(tx: Transaction, count: int) -> list[Event]:
    """Return the events that are due first."""
    return [_decode(raw) for _, raw in await tx.range(_EVENTS.begin, _EVENTS.end, limit=count)]
