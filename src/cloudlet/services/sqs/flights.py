"""Messages in flight. Those that were received together are one row, from which each goes as it is deleted.

A flight is found by the time when it ends and by its nonce. Receipt handles tell both, so that no message needs a row
and a timer of its own. One whose visibility timeout is changed goes on alone: it has a row by its place, and a timer.
"""

from __future__ import annotations

from itertools import count
from typing import Final

import msgspec

from cloudlet.core import Transaction
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.sqs.messages import Member, State, encode, state_of
from cloudlet.services.sqs.queue import Queue, split_timer, timer_key
from cloudlet.store.tuple_keys import pack_int

ALONE: Final = b""
"""The value of the timer of a message that goes on alone."""
TOGETHER: Final = b"\x03"
"""How the value of a flight begins, and the end of its key, where timers of one message have the message's place."""
_EXPIRED: Final = b""
"""In the row of a message that goes on alone: it has expired, of which the flight that it is in knows nothing."""

_SEARCHED_AT_ONCE: Final = 100

_COUNT_BITS: Final = 16
_WRITER_BITS: Final = 22
_NUMBER_BITS: Final = _COUNT_BITS + _WRITER_BITS
_writer: Final = int.from_bytes(random_bytes(4), "big") >> 32 - _WRITER_BITS
_count: Final = count()

_decode: Final = msgspec.msgpack.Decoder(dict[bytes, Member]).decode


def next_nonce(visibility: int) -> bytes:
    """Return what tells a delivery from all others of that time: its visibility timeout (ms, 26 bits) and a number.

    The number has 22 bits that tell writers apart and 16 that each of them counts on.
    """
    number = _writer << _COUNT_BITS | next(_count) & (1 << _COUNT_BITS) - 1
    return (visibility << _NUMBER_BITS | number).to_bytes(8, "big")


def visibility_of(nonce: bytes) -> int:
    """Return the visibility timeout (ms) with which messages were received."""
    return int.from_bytes(nonce, "big") >> _NUMBER_BITS


def depart(tx: Transaction, queue: Queue, taken: list[tuple[bytes, State]], visibility: int, now: int) -> None:
    """Put messages in flight that were taken from the visible ones: each is received once more. Times are in ms."""
    nonce, due = next_nonce(visibility), now + visibility
    members = {}
    for place, state in taken:
        state.receives += 1
        state.first = state.first or now
        state.nonce, state.received, state.due = nonce, now, due
        members[place] = Member(state.receives, state.first, state.sent, state.group)
    tx.put(_key(queue, due, nonce), TOGETHER + encode(members))
    tx.add(queue.in_flight_count, len(members))


def _key(queue: Queue, due: int, nonce: bytes) -> bytes:
    return timer_key(queue.timers, due, TOGETHER + nonce)


def _state(member: Member, nonce: bytes, due: int) -> State:
    received = due - visibility_of(nonce)
    return State(member.receives, member.first, nonce, received, due, member.sent, member.group)


async def landed(tx: Transaction, queue: Queue, key: bytes, value: bytes) -> list[tuple[bytes, State]]:
    """Return the messages of a flight whose row was just removed, since its time has come."""
    due, rest = split_timer(queue.timers, key)
    found = [(place, _state(member, rest[1:], due)) for place, member in _decode(value[1:]).items()]
    if await tx.counter(queue.expired_count):
        expired = [place for place, _ in found if await _is_expired(tx, queue, place)]
        for place in expired:
            tx.delete(queue.in_flight.prefix + place)
            tx.add(queue.expired_count, -1)
        found = [(place, state) for place, state in found if place not in expired]
    return found


async def alone(tx: Transaction, queue: Queue, place: bytes) -> State | None:
    """Return the state of a message that goes on alone, or None."""
    raw = await tx.get(queue.in_flight.prefix + place)
    return state_of(raw) if raw else None


def continue_alone(tx: Transaction, queue: Queue, place: bytes, state: State, due: int) -> None:
    """Put a message in flight until `due` (ms) by itself."""
    state.due = due
    tx.put(queue.in_flight.prefix + place, encode(state))
    tx.put(timer_key(queue.timers, due, place), ALONE)


def expire(tx: Transaction, queue: Queue, place: bytes) -> None:
    """Note that a message is gone that flies with others; which flight that is is not known."""
    tx.put(queue.in_flight.prefix + place, _EXPIRED)
    tx.add(queue.expired_count, 1)


async def _is_expired(tx: Transaction, queue: Queue, place: bytes) -> bool:
    return await tx.get(queue.in_flight.prefix + place) == _EXPIRED


class _Flight:
    """A flight that was looked for: its members, none where there is no such flight any more."""

    __slots__ = ("due", "expired", "is_changed", "key", "members")

    def __init__(self, key: bytes, due: int, members: dict[bytes, Member]) -> None:
        self.key = key
        self.due = due
        self.members = members
        self.expired: set[bytes] = set()
        self.is_changed = False


class InFlightMessages:
    """Flights as one transaction finds and changes them; `write` puts the changes into it."""

    __slots__ = ("_found", "_queue", "_tx")

    def __init__(self, tx: Transaction, queue: Queue) -> None:
        self._tx = tx
        self._queue = queue
        self._found: dict[bytes, _Flight] = {}

    async def find(self, place: bytes, nonce: bytes, due: int) -> State | None:
        """Return the state of a message in flight: in that with this nonce which ends at `due` (ms), or alone."""
        flight = self._found.get(nonce) or await self._look_for(nonce, due)
        member = flight.members.get(place)
        if member is None:
            return await alone(self._tx, self._queue, place)
        return None if place in flight.expired else _state(member, nonce, flight.due)

    async def _look_for(self, nonce: bytes, due: int) -> _Flight:
        tx, queue = self._tx, self._queue
        key = _key(queue, due, nonce)
        raw = await tx.get(key)
        flight = self._found[nonce] = _Flight(key, due, {} if raw is None else _decode(raw[1:]))
        if flight.members and await tx.counter(queue.expired_count):
            flight.expired = {place for place in flight.members if await _is_expired(tx, queue, place)}
        return flight

    async def search(self, place: bytes, now: int) -> State | None:
        """Return the state of a message in flight whose latest delivery the caller does not know."""
        state = await alone(self._tx, self._queue, place)
        if state is not None:
            return state
        timers = self._queue.timers
        begin = timers.prefix + pack_int(now + 1)
        while rows := await self._tx.range(begin, timers.end, limit=_SEARCHED_AT_ONCE):
            for key, value in rows:
                if value.startswith(TOGETHER) and place in _decode(value[1:]):
                    due, rest = split_timer(timers, key)
                    return await self.find(place, rest[1:], due)
            begin = rows[-1][0] + b"\x00"
        return None

    def leave(self, place: bytes, state: State) -> None:
        """Take a message that was found out of its flight."""
        flight = self._found.get(state.nonce)
        if flight is not None and flight.members.pop(place, None) is not None:
            flight.is_changed = True
        else:
            self._tx.delete(self._queue.in_flight.prefix + place)
            self._tx.delete(timer_key(self._queue.timers, state.due, place))

    def change_due(self, place: bytes, state: State, due: int) -> None:
        """Let a message that was found become visible at another time."""
        self.leave(place, state)
        continue_alone(self._tx, self._queue, place, state, due)

    def write(self) -> None:
        """Write the flights that messages have left."""
        for flight in self._found.values():
            if flight.is_changed and flight.members:
                self._tx.put(flight.key, TOGETHER + encode(flight.members))
            elif flight.is_changed:
                self._tx.delete(flight.key)
            flight.is_changed = False
