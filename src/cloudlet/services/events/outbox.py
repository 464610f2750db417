"""The outbox: deliveries of one event to one target of a rule that are due now or later.

Each target of each rule has a lane of its own, so that none waits for another.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cloudlet.core import Transaction
from cloudlet.core.ids import random_bytes
from cloudlet.services.events import delivery_record
from cloudlet.services.events.delivery_record import ROWS, Delivery, Lane
from cloudlet.services.events.rule_record import Rule, Target

TOPIC: Final = b"deliveries"
"""Notified for each new row."""

_last_sequence = 0


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


def made(rule: Rule, target: Target, event: str, now: float, hops: int = 0, trace: str = "") -> Delivery:
    """Return what has an event delivered to a target of a rule; `now` is in seconds since the epoch."""
    global _last_sequence
    _last_sequence = max(_last_sequence + 1, int(now * 1_000_000))
    noted = int(now * 1000)
    return Delivery(event, rule, target, noted, noted, _last_sequence, hops, trace, token=random_bytes(8))


def save(tx: Transaction, delivery: Delivery) -> None:
    """Put a delivery into its lane."""
    tx.put(_key(delivery), delivery_record.encode(delivery))
    tx.notify(TOPIC)
    tx.notify(delivery.lane.rows.prefix)


def remove(tx: Transaction, delivery: Delivery) -> None:
    """Take a delivery out of its lane."""
    tx.delete(_key(delivery))


async def lanes(tx: Transaction, after: Lane | None, limit: int) -> list[Lane]:
    """Return up to `limit` lanes in which something waits, those that follow another one."""
    found: list[Lane] = []
    begin = ROWS.begin if after is None else after.rows.end
    while len(found) < limit:
        rows = await tx.range(begin, ROWS.end, limit=1)
        if not rows:
            break
        target, rule, *_ = ROWS.unpack(rows[0][0])
        found.append(Lane(target, rule))
        begin = found[-1].rows.end
    return found


async def first(tx: Transaction, lane: Lane, count: int) -> list[Delivery]:
    """Return the deliveries of a lane that are due first."""
    rows = await tx.range(lane.rows.begin, lane.rows.end, limit=count)
    return [delivery_record.decode(raw) for _, raw in rows]


def _key(delivery: Delivery) -> bytes:
    return delivery.lane.rows.key(
        delivery.due, delivery.sequence, delivery.rule.bus, delivery.target["Id"], delivery.token
    )
