"""An event that waits for its function, and how it is kept. Times are in seconds since the epoch."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import Place
from cloudlet.store.interface import Row

TOPIC = b"events"
_EVENTS = Subspace("event")
"""When it is due, request id → the event."""
_PAYLOADS = Subspace("event-payload")
"""Request id → the payload of an event, where that is large: events are read, and written, more often than payloads."""
_LETTERS = Subspace("event-letters")
"""Request id → what has to be told of an event that was served, or given up."""
_SMALL_BYTES = 4096
_encode = msgspec.msgpack.Encoder().encode


class Event(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is to be given to a function, once."""

    place: Place
    qualifier: str
    """What of the function was named; empty for nothing."""
    request_id: str
    payload: bytes
    """Empty where it is kept aside, until it is wanted."""
    accepted: float
    due: float
    client_context: bytes = b""
    """JSON; empty for none."""
    trace: str = ""
    attempts: int = 0
    """How often the function has failed with it."""
    refusals: int = 0
    """How often it could not be given to the function since that was last called: it was throttled, say."""
    is_served: bool = False
    """Whether it was served, or given up, and only those have to be told who could not be yet."""

    @property
    def what(self) -> FunctionReference:
        return FunctionReference(self.place, self.qualifier or None)

    @property
    def key(self) -> bytes:
        return _EVENTS.key(self.due, self.request_id)


class InvocationRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A call by which a destination, or a dead-letter queue, is told what became of an event."""

    service: str
    region: str
    operation: str
    params: dict[str, Any]
    role: str
    """As whose session it is made."""
    trace: str
    is_dead: bool = False
    """Whether it is for a dead-letter queue."""


decode = msgspec.msgpack.Decoder(Event).decode
_letters = msgspec.msgpack.Decoder(list[InvocationRecord]).decode


def accept(tx: Transaction, event: Event) -> None:
    """Keep a new event until it is due."""
    if len(event.payload) > _SMALL_BYTES:
        tx.put(_PAYLOADS.key(event.request_id), event.payload)
    put(tx, event)


def put(tx: Transaction, event: Event) -> None:
    """Keep an event until it is due; its payload is kept already."""
    tx.put(event.key, _encode(event if len(event.payload) <= _SMALL_BYTES else replace(event, payload=b"")))
    tx.notify(TOPIC)


async def whole(tx: Transaction, event: Event) -> Event:
    """Return an event with its payload."""
    return event if event.payload else replace(event, payload=await tx.get(_PAYLOADS.key(event.request_id)) or b"{}")


def put_served(tx: Transaction, event: Event, letters: list[InvocationRecord]) -> None:
    """Keep what has to be told of an event until it is due."""
    tx.put(_LETTERS.key(event.request_id), _encode(letters))
    put(tx, replace(event, is_served=True))


async def letters_of(tx: Transaction, event: Event) -> list[InvocationRecord]:
    """Return what has to be told of an event."""
    raw = await tx.get(_LETTERS.key(event.request_id))
    return [] if raw is None else _letters(raw)


def forget(tx: Transaction, event: Event) -> None:
    """Keep an event no more."""
    tx.delete(event.key)
    tx.delete(_PAYLOADS.key(event.request_id))
    if event.is_served:
        tx.delete(_LETTERS.key(event.request_id))


async def first(tx: Transaction, count: int, after: bytes = b"") -> list[Row]:
    """Return the events that are due first after a key, as they are stored, without large payloads."""
    return await tx.range(after + b"\0" if after else _EVENTS.begin, _EVENTS.end, limit=count)
