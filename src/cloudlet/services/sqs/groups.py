"""Message groups: which of them have visible messages, and where each of them stands.

A group knows its head (the first of its visible messages) and how many of its messages are in flight. Groups of which
a message can be received are listed in the order of their heads: on a standard queue all that have visible messages, on
a FIFO queue those whose head precedes all of their messages in flight. There a group whose head has come back is behind
all others that are listed then.
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.sqs.messages import State, encode, state_of
from cloudlet.services.sqs.queue import Queue
from cloudlet.store.tuple_keys import pack_int

Picked = tuple[bytes, State]
"""The place of a message and its state."""


class _Record(msgspec.Struct, array_like=True, omit_defaults=True):
    head: bytes = b""
    in_flight: int = 0
    sent: int = 0
    flying: list[bytes] = []
    turn: bytes = b""


_decode = msgspec.msgpack.Decoder(_Record).decode


async def next_number(tx: Transaction, queue: Queue) -> int:
    """Return the place of the next message in a FIFO queue. Who reads it excludes others who do: order is exact."""
    tx.add(queue.sequence, 1)
    return await tx.counter(queue.sequence)


class Group:
    """A group in one transaction: read with `read`, changed, and written back with `write`."""

    __slots__ = ("_flying", "_key", "_listed", "_prefix", "_turn", "head", "in_flight", "name", "queue", "sent")

    def __init__(self, queue: Queue, name: str, key: bytes, record: _Record) -> None:
        self.queue = queue
        self.name = name
        self.head = record.head
        self.in_flight = record.in_flight
        self.sent = record.sent
        """When the last message was sent to it, in milliseconds since the epoch (standard queues)."""
        self._flying = record.flying
        """The places of its messages in flight, on a FIFO queue; of groups that an older Cloudlet wrote, not of all."""
        self._turn = record.turn
        """Where it is among those that came back, on a FIFO queue; empty for one whose head was never received."""
        self._key = key
        self._prefix = queue.ready_in_group.key(name)
        self._listed = self._listing()

    @classmethod
    async def read(cls, tx: Transaction, queue: Queue, name: str) -> Group:
        """Return a group; one that nothing is known of is empty."""
        key = queue.groups.key(name)
        raw = await tx.get(key)
        return cls(queue, name, key, _Record() if raw is None else _decode(raw))

    def _listing(self) -> bytes:
        """Return the key under which it is listed, empty if none of its messages can be received."""
        if not self.head or (self.queue.fifo and self._is_locked):
            return b""
        return self.queue.returned.prefix + self._turn if self._turn else self.queue.available.prefix + self.head

    @property
    def is_available(self) -> bool:
        """Whether any of its messages can be received."""
        return bool(self._listing())

    @property
    def _is_locked(self) -> bool:
        """Whether a message in flight precedes its head."""
        return self.in_flight > len(self._flying) or any(place < self.head for place in self._flying)

    def write(self, tx: Transaction) -> None:
        """Write the group, and its place in the lists of available ones."""
        listing = self._listing()
        if listing != self._listed:
            if self._listed:
                tx.delete(self._listed)
            if listing:
                tx.put(listing, self.name.encode())
            self._listed = listing
        if self.head or self.in_flight:
            tx.put(self._key, encode(_Record(self.head, self.in_flight, self.sent, self._flying, self._turn)))
        else:
            tx.delete(self._key)

    def depart(self, place: bytes) -> None:
        """Count a message as in flight that was visible."""
        self.in_flight += 1
        if self.queue.fifo:
            self._flying.append(place)

    def land(self, place: bytes) -> None:
        """Count a message as in flight no more."""
        self.in_flight -= 1
        if place in self._flying:
            self._flying.remove(place)

    async def send_to_end(self, tx: Transaction) -> None:
        """Put it behind all groups that are listed now, those of messages that are sent later behind it."""
        self._turn = pack_int(await next_number(tx, self.queue))

    def add(self, tx: Transaction, place: bytes, state: State) -> None:
        """Put a message among the visible ones."""
        tx.put(self._prefix + place, encode(state))
        if not self.head or place < self.head:
            self.head = place

    async def take(
        self, tx: Transaction, count: int, *, before: bytes = b"\xff", sent_by: int | None = None
    ) -> list[Picked]:
        """Take up to `count` messages from the head into flight: those ahead of `before` that were sent by then."""
        before = min([before, *self._flying])
        rows = await tx.range(self._prefix + self.head, self._prefix + b"\xff", limit=count + 1)
        start = len(self._prefix)
        taken: list[Picked] = []
        for key, value in rows[:count]:
            state = state_of(value)
            place = key[start:]
            if place >= before or (sent_by is not None and state.sent > sent_by):
                break
            tx.delete(key)
            taken.append((place, state))
        self.head = rows[len(taken)][0][start:] if len(taken) < len(rows) else b""
        for place, _ in taken:
            self.depart(place)
        if taken:
            self._turn = b""
        return taken

    async def find(self, tx: Transaction, place: bytes) -> State | None:
        """Return the state of a visible message, or None."""
        raw = await tx.get(self._prefix + place)
        return None if raw is None else state_of(raw)

    async def remove(self, tx: Transaction, place: bytes) -> None:
        """Remove a visible message."""
        tx.delete(self._prefix + place)
        if place == self.head:
            rows = await tx.range(self._prefix + place, self._prefix + b"\xff", limit=1)
            self.head = rows[0][0][len(self._prefix) :] if rows else b""
            if not rows or not state_of(rows[0][1]).receives:
                self._turn = b""
