"""The outbox: deliveries of one event to one target of a rule that are due now or later.

Each target of each rule has a lane of its own, so that none waits for another.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.ids import random_bytes
from cloudlet.services.events.rule import Rule, Target

TOPIC = b"deliveries"
"""Notified for each new row."""

_ROWS = Subspace("delivery")
_last_sequence = 0


class Lane(NamedTuple):
    """What a rule has for one target, or for the dead-letter queue of one."""

    target: str
    rule: str
    """Both are ARNs."""

    @property
    def rows(self) -> Subspace:
        return _ROWS.sub(*self)


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """A delivery. `noted` and `due` are in milliseconds since the epoch."""

    event: str
    """As JSON."""
    rule: Rule
    target: Target
    noted: int
    due: int
    sequence: int
    hops: int = 0
    """How often a rule has handed the event on to another bus."""
    trace: str = ""
    """The entry's TraceHeader, which queues get as AWSTraceHeader."""
    attempts: int = 0
    """How often it has failed."""
    dead: dict[str, str] | None = None
    """What the message in the dead-letter queue says of why it is there; None while it is not given up."""
    token: bytes = b""
    """Tells deliveries apart whose sequence is the same: other processes count too, and a clock may stand."""

    @property
    def lane(self) -> Lane:
        arn = self.target["Arn"] if self.dead is None else self.target["DeadLetterConfig"]["Arn"]
        return Lane(arn, self.rule.arn)


class Outlet(NamedTuple):
    """A target of a rule, with what is told of it once for all events."""

    target: Target
    lane: Lane
    is_quick: bool
    """Whether it is a standard queue, which takes a message, or refuses it, at once."""


def outlet(rule: Rule, target: Target) -> Outlet:
    """Return the outlet to a target of a rule."""
    is_queue = target["Arn"].split(":", 3)[2] == "sqs"
    return Outlet(target, Lane(target["Arn"], rule.arn), is_queue and "SqsParameters" not in target)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Delivery).decode


def made(rule: Rule, target: Target, event: str, now: float, hops: int = 0, trace: str = "") -> Delivery:
    """Return what has an event delivered to a target of a rule; `now` is in seconds since the epoch."""
    global _last_sequence
    _last_sequence = max(_last_sequence + 1, int(now * 1_000_000))
    noted = int(now * 1000)
    return Delivery(event, rule, target, noted, noted, _last_sequence, hops, trace, token=random_bytes(8))


def save(tx: Transaction, delivery: Delivery) -> None:
    """Put a delivery into its lane."""
    tx.put(_key(delivery), _encode(delivery))
    tx.notify(TOPIC)
    tx.notify(delivery.lane.rows.prefix)


def remove(tx: Transaction, delivery: Delivery) -> None:
    """Take a delivery out of its lane."""
    tx.delete(_key(delivery))


async def lanes(tx: Transaction, after: Lane | None, limit: int) -> list[Lane]:
    """Return up to `limit` lanes in which something waits, those that follow another one."""
    found: list[Lane] = []
    begin = _ROWS.begin if after is None else after.rows.end
    while len(found) < limit:
        rows = await tx.range(begin, _ROWS.end, limit=1)
        if not rows:
            break
        target, rule, *_ = _ROWS.unpack(rows[0][0])
        found.append(Lane(target, rule))
        begin = found[-1].rows.end
    return found


async def first(tx: Transaction, lane: Lane, count: int) -> list[Delivery]:
    """Return the deliveries of a lane that are due first."""
    rows = await tx.range(lane.rows.begin, lane.rows.end, limit=count)
    return [_decode(raw) for _, raw in rows]


def _key(delivery: Delivery) -> bytes:
    return delivery.lane.rows.key(
        delivery.due, delivery.sequence, delivery.rule.bus, delivery.target["Id"], delivery.token
    )
