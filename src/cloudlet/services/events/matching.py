"""Puts events on buses: finds the rules that match, and writes down what is to be delivered and what is archived."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.events import archive, outbox, rule
from cloudlet.services.events.archive import Archive
from cloudlet.services.events.bus import Place
from cloudlet.services.events.outbox import Delivery
from cloudlet.services.events.rule import RuleSet


class Receiver(NamedTuple):
    """What a bus has for the events that are put on it in a transaction."""

    rules: RuleSet
    archives: list[Archive]


async def receiver(tx: Transaction, place: Place) -> Receiver:
    """Return what a bus has for events."""
    return Receiver(await rule.compiled(tx, place), await archive.of_bus(tx, place))


async def put(tx: Transaction, place: Place, event: str, now: float, hops: int = 0, trace: str = "") -> None:
    """Put an event (JSON) on a bus."""
    receive(tx, await receiver(tx, place), event, now, hops=hops, trace=trace)


def receive(
    tx: Transaction,
    receiver: Receiver,
    event: str,
    now: float,
    *,
    hops: int = 0,
    trace: str = "",
    quick: list[Delivery] | None = None,
) -> None:
    """Put an event (JSON) on a bus that is known. Where `quick` is given, quick deliveries are added to it instead."""
    if not receiver.rules and not receiver.archives:
        return
    document = msgspec.json.decode(event)
    for each in receiver.rules.matching(document):
        for delivery in outbox.made(each.rule, each.targets, event, now, hops, trace):
            if quick is not None and delivery.is_quick:
                quick.append(delivery)
            else:
                outbox.save(tx, delivery)
    if receiver.archives:
        time = datetime.fromisoformat(document["time"]).timestamp()
        for kept in receiver.archives:
            if archive.admits(kept, document):
                archive.keep(tx, kept, event, time, now)


async def match(tx: Transaction, place: Place, event: str, now: float, *, only: Collection[str] = ()) -> None:
    """Have an event delivered to the targets of the rules of a bus that match it: of all, or of those with ARNs."""
    rules = await rule.compiled(tx, place)
    if not rules:
        return
    for each in rules.matching(msgspec.json.decode(event)):
        if not only or each.rule.arn in only:
            outbox.add(tx, each.rule, each.targets, event, now)
