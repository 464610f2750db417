"""Puts events on buses: finds the rules that match, and writes down what is to be delivered and what is archived."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.events import archive, outbox, rule
from cloudlet.services.events.bus import Place


async def put(tx: Transaction, place: Place, event: str, now: float, hops: int = 0, trace: str = "") -> None:
    """Put an event (JSON) on a bus."""
    await match(tx, place, event, now, hops=hops, trace=trace)
    archives = await archive.of_bus(tx, place)
    if archives:
        document = msgspec.json.decode(event)
        time = datetime.fromisoformat(document["time"]).timestamp()
        for each in archives:
            if archive.admits(each, document):
                archive.keep(tx, each, event, time, now)


async def match(
    tx: Transaction,
    place: Place,
    event: str,
    now: float,
    *,
    hops: int = 0,
    trace: str = "",
    only: Collection[str] = (),
) -> None:
    """Have an event delivered to the targets of the rules of a bus that match it: of all, or of those with ARNs."""
    rules = await rule.compiled(tx, place)
    if not rules:
        return
    for each in rules.matching(msgspec.json.decode(event)):
        if not only or each.rule.arn in only:
            outbox.add(tx, each.rule, each.targets, event, now, hops, trace)
