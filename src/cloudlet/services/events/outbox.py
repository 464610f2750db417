"""The outbox: deliveries of one event to one target of a rule that are due now or later.

Each target of each rule has a lane of its own, so that none waits for another.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.keyed_queues import list_queues
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.events import delivery_record, shared_event
from cloudlet.services.events.delivery_record import ROWS, Delivery, Lane
from cloudlet.services.events.rule_record import Rule, Target

TOPIC: Final = b"deliveries"
"""Notified for each new row."""

_SMALL_BYTES: Final = 1 << 18
_MOST_BYTES: Final = 1 << 20
_last_sequence = 0


class CompiledTarget(NamedTuple):
    """A target of a rule, with what is told of it once for all events."""

    target: Target
    lane: Lane
    is_quick: bool
    """Whether it is a standard queue, which takes a message, or refuses it, at once."""


def outlet(rule: Rule, target: Target) -> CompiledTarget:
    """Return the outlet to a target of a rule."""
    is_queue = target["Arn"].split(":", 3)[2] == "sqs"
    return CompiledTarget(target, Lane(target["Arn"], rule.arn), is_queue and "SqsParameters" not in target)


def made(
    rule: Rule, target: Target, event: str, now: float, hops: int = 0, trace: str = "", shared: bytes = b""
) -> Delivery:
    """Return what has an event delivered to a target of a rule; `now` is in seconds since the epoch."""
    global _last_sequence
    _last_sequence = max(_last_sequence + 1, int(now * 1_000_000))
    noted = int(now * 1000)
    return Delivery(
        event, rule, target, noted, noted, _last_sequence, hops, trace, token=random_bytes(8), shared=shared
    )


def save(tx: Transaction, delivery: Delivery) -> None:
    """Put a delivery into its lane."""
    row = delivery
    if delivery.shared:
        row = replace(delivery, event="")
    elif shared_event.is_large(delivery.event):
        row = replace(delivery, event="", shared=shared_event.write(tx, delivery.event, 1))
    tx.put(_key(delivery), delivery_record.encode(row))
    tx.notify(TOPIC)
    tx.notify(delivery.lane.rows.prefix)


async def settle(tx: Transaction, delivery: Delivery, after: Delivery | None) -> None:
    """Take a delivery that was tried out of its lane, and put what follows, if anything, into that one's."""
    if delivery.shared:
        if await tx.get(_key(delivery)) is None:
            # Another process has, and counted it.
            return
        if after is None:
            await shared_event.release(tx, delivery.shared)
    tx.delete(_key(delivery))
    if after is not None:
        save(tx, after)


async def lanes(tx: Transaction, after: Lane | None, limit: int) -> list[Lane]:
    """Return up to `limit` lanes in which something waits, those that follow another one."""
    return [Lane(*each) for each in await list_queues(tx, ROWS, 2, after, limit)]


async def first(tx: Transaction, lane: Lane, count: int) -> list[Delivery]:
    """Return the deliveries of a lane that are due first; of large events without these."""
    rows = await tx.range(lane.rows.begin, lane.rows.end, limit=count)
    return [delivery_record.decode(raw) for _, raw in rows]


def are_small(deliveries: list[Delivery]) -> bool:
    """Whether deliveries take so little memory that any number of lanes may have as many at once."""
    size = 0
    for each in deliveries:
        if each.shared:
            return False
        size += len(each.event)
    return size <= _SMALL_BYTES


async def whole(tx: Transaction, deliveries: list[Delivery]) -> list[Delivery]:
    """Return the first of deliveries with their events: one, or as many as may be in memory at once."""
    found: list[Delivery] = []
    size = 0
    for each in deliveries:
        event = await shared_event.read(tx, each.shared) if each.shared else each.event
        size += len(event)
        if found and size > _MOST_BYTES:
            break
        found.append(replace(each, event=event) if each.shared else each)
    return found


def _key(delivery: Delivery) -> bytes:
    return delivery.lane.rows.key(
        delivery.due, delivery.sequence, delivery.rule.bus, delivery.target["Id"], delivery.token
    )
