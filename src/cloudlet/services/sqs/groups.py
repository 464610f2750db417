"""Message groups: which of them have visible messages, and where each of them stands.

A group knows its head (the first of its visible messages) and how many of its messages are in flight. Groups of which
a message can be received are listed in the order of their heads. On a FIFO queue a group with messages in flight is
locked, that is, not listed; on a standard queue it is listed as long as it has visible messages.
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.sqs.messages import State, encode, state_of
from cloudlet.services.sqs.queue import Queue

Picked = tuple[bytes, State]
"""The place of a message and its state."""


class _Record(msgspec.Struct, array_like=True, omit_defaults=True):
    head: bytes = b""
    in_flight: int = 0
    sent: int = 0


_decode = msgspec.msgpack.Decoder(_Record).decode


class Group:
    """A group in one transaction: read with `read`, changed, and written back with `write`."""

    __slots__ = ("_key", "_listed", "_prefix", "head", "in_flight", "name", "queue", "sent")

    def __init__(self, queue: Queue, name: str, key: bytes, record: _Record) -> None:
        self.queue = queue
        self.name = name
        self.head = record.head
        self.in_flight = record.in_flight
        self.sent = record.sent
        """When the last message was sent to it, in milliseconds since the epoch (standard queues)."""
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
        return b"" if self.queue.fifo and self.in_flight else self.head

    def write(self, tx: Transaction) -> None:
        """Write the group, and its place in the list of available ones."""
        listing, available = self._listing(), self.queue.available.prefix
        if listing != self._listed:
            if self._listed:
                tx.delete(available + self._listed)
            if listing:
                tx.put(available + listing, self.name.encode())
            self._listed = listing
        if self.head or self.in_flight:
            tx.put(self._key, encode(_Record(self.head, self.in_flight, self.sent)))
        else:
            tx.delete(self._key)

    def add(self, tx: Transaction, place: bytes, state: State) -> None:
        """Put a message among the visible ones."""
        tx.put(self._prefix + place, encode(state))
        if not self.head or place < self.head:
            self.head = place

    async def take(
        self, tx: Transaction, count: int, *, before: bytes = b"\xff", sent_by: int | None = None
    ) -> list[Picked]:
        """Take up to `count` messages from the head into flight: those ahead of `before` that were sent by then."""
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
        self.in_flight += len(taken)
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
