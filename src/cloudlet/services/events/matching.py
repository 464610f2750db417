"""Puts events on buses: finds the rules that match, and writes down what is to be delivered and what is archived."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from cloudlet.core import Transaction
from cloudlet.services.events import archive, outbox, receiving
from cloudlet.services.events.bus_record import Place
from cloudlet.services.events.delivery_record import Delivery, Lane
from cloudlet.services.events.receiving import Receiver
from cloudlet.wire import json_text

Quick = dict[Lane, list[Delivery]]
"""Deliveries that are tried before any of them is written down."""


async def put(tx: Transaction, place: Place, event: str, now: float, hops: int = 0, trace: str = "") -> None:
    """Put an event (JSON) on a bus."""
    receiver = await receiving.of_bus(tx, place)
    if not receiver.is_idle:
        receive(tx, receiver, event, json_text.decode(event), now, hops=hops, trace=trace)


def receive(
    tx: Transaction,
    receiver: Receiver,
    event: str,
    document: dict[str, Any],
    now: float,
    *,
    hops: int = 0,
    trace: str = "",
    quick: Quick | None = None,
) -> None:
    """Put an event, JSON and what that says, on a bus that is known.

    Where `quick` is given, quick deliveries are added to it and not written down.
    """
    for rule, _, outlets in receiver.matching(document):
        for target, lane, is_quick in outlets:
            delivery = outbox.made(rule, target, event, now, hops, trace)
            if quick is None or not is_quick:
                outbox.save(tx, delivery)
            elif lane in quick:
                quick[lane].append(delivery)
            else:
                quick[lane] = [delivery]
    if receiver.archives:
        time = datetime.fromisoformat(document["time"]).timestamp()
        for kept in receiver.archives:
            if archive.admits(kept, document):
                archive.keep(tx, kept, event, time, now)


async def match(tx: Transaction, place: Place, event: str, now: float, *, only: Collection[str] = ()) -> None:
    """Have an event delivered to the targets of the rules of a bus that match it: of all, or of those with ARNs."""
    receiver = await receiving.of_bus(tx, place)
    for rule, _, outlets in receiver.matching(json_text.decode(event)):
        if not only or rule.arn in only:
            for each in outlets:
                outbox.save(tx, outbox.made(rule, each.target, event, now))
