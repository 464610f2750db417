"""Puts events on buses: finds the rules that match, and writes down what is to be delivered."""

from __future__ import annotations

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.events import outbox, rule
from cloudlet.services.events.bus import Place


async def put(tx: Transaction, place: Place, event: str, now: float, hops: int = 0, trace: str = "") -> None:
    """Have an event (JSON) delivered to the targets of all rules of a bus that match it."""
    rules = await rule.compiled(tx, place)
    if not rules:
        return
    document = msgspec.json.decode(event)
    for each in rules:
        if each.pattern.matches(document):
            outbox.add(tx, each.rule, each.targets, event, now, hops, trace)
