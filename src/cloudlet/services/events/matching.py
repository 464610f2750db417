"""Puts events on buses: finds the rules that match, and writes down what is to be delivered and what is archived."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.core.background.workers import LARGE
from cloudlet.services.events import archive, large_events, outbox, receiving, shared_event
from cloudlet.services.events.bus_record import Place
from cloudlet.services.events.delivery_record import Delivery, Lane
from cloudlet.services.events.large_events import Matched
from cloudlet.services.events.receiving import BusSubscribers, Compiled, MatchedTargets
from cloudlet.wire import json_text

Quick = dict[Lane, list[Delivery]]
"""Deliveries that are tried before any of them is written down."""
MOST_DELIVERIES: Final = 2000
"""Once so many have been made in a transaction, further events are put in another one."""


async def matched(tx: Transaction, place: Place, event: str) -> Callable[[], Awaitable[Matched]] | None:
    """Return what finds out who of a bus takes an event (JSON), where that is too large to be matched in passing."""
    if len(event) < LARGE:
        return None
    receiver = await receiving.of_bus(tx, place)
    return lambda: large_events.matched(place.account, receiver, json_text.decode(event))


async def put(
    tx: Transaction,
    place: Place,
    event: str,
    now: float,
    hops: int = 0,
    trace: str = "",
    matched: Matched | None = None,
) -> None:
    """Put an event (JSON) on a bus."""
    receiver = await receiving.of_bus(tx, place)
    if not receiver.is_idle:
        takers = None if matched is None else matched.of(receiver)
        receive(tx, receiver, event, json_text.decode(event), now, hops=hops, trace=trace, takers=takers)


def receive(
    tx: Transaction,
    receiver: BusSubscribers,
    event: str,
    document: dict[str, Any],
    now: float,
    *,
    hops: int = 0,
    trace: str = "",
    quick: Quick | None = None,
    takers: MatchedTargets | None = None,
) -> int:
    """Put an event, JSON and what that says, on a bus that is known, and perhaps who of it takes the event.

    Where `quick` is given, quick deliveries are added to it and not written down. Returns how many targets get it.
    """
    count = _write(tx, receiver.matching(document) if takers is None else takers.rules, event, now, hops, trace, quick)
    if receiver.archives:
        time = datetime.fromisoformat(document["time"]).timestamp()
        if takers is None:
            admitting = [each for each in receiver.archives if archive.admits(each, document)]
        else:
            admitting = takers.archives
        for kept in admitting:
            archive.keep(tx, kept, event, time, now)
    return count


def _write(
    tx: Transaction,
    rules: list[Compiled],
    event: str,
    now: float,
    hops: int = 0,
    trace: str = "",
    quick: Quick | None = None,
) -> int:
    """Write down what has an event delivered to the targets of rules, or add it to `quick`; return how many get it."""
    count = sum([len(each.outlets) for each in rules])
    shared = b""
    if shared_event.is_for_many(event, count):
        shared = shared_event.write(tx, event, count)
        # They would all be in memory at once.
        quick = None
    for rule, _, outlets, _ in rules:
        for target, lane, is_quick in outlets:
            delivery = outbox.made(rule, target, event, now, hops, trace, shared)
            if quick is None or not is_quick:
                outbox.save(tx, delivery)
            elif lane in quick:
                quick[lane].append(delivery)
            else:
                quick[lane] = [delivery]
    return count


async def match(
    tx: Transaction,
    place: Place,
    event: str,
    now: float,
    *,
    only: Collection[str] = (),
    matched: Matched | None = None,
) -> int:
    """Have an event delivered to the targets of the rules of a bus that match it: of all, or of those with ARNs.

    Returns how many get it.
    """
    receiver = await receiving.of_bus(tx, place)
    takers = None if matched is None else matched.of(receiver)
    rules = receiver.matching(json_text.decode(event)) if takers is None else takers.rules
    return _write(tx, [each for each in rules if not only or each.rule.arn in only], event, now)
