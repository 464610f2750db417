"""What EventBridge measures of itself. User guide, "Monitoring Amazon EventBridge"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cloudlet.core.block import Block
from cloudlet.services.events import bus
from cloudlet.services.events.outbox import Delivery
from cloudlet.services.events.rule import Rule

Tried = tuple[Delivery, bool, Delivery | None]
"""A delivery that was tried, whether it failed, and what follows, if anything."""


def note(block: Block, rule: Rule, tried: Iterable[Tried], now: float) -> None:
    """Count what became of deliveries of a rule; `now` is in seconds since the epoch."""
    counts: Counter[str] = Counter()
    for delivery, failed, following in tried:
        counts.update(_dead(failed, following) if delivery.dead is not None else _alive(delivery, failed, following))
    for metric, count in counts.items():
        for dimensions in ((), _dimensions(rule)):
            block.metrics.add(rule.account, rule.region, metric, dimensions, now, count=count)


def _alive(delivery: Delivery, failed: bool, following: Delivery | None) -> Iterable[str]:
    yield "InvocationAttempts"
    if delivery.attempts:
        yield "RetryInvocationAttempts"
    if not failed:
        yield "SuccessfulInvocationAttempts"
        yield "Invocations"
    elif following is None or following.dead is not None:
        yield "Invocations"
        yield "FailedInvocations"


def _dead(failed: bool, following: Delivery | None) -> Iterable[str]:
    if not failed:
        yield "InvocationsSentToDlq"
    elif following is None:
        yield "InvocationsFailedToBeSentToDlq"


def _dimensions(rule: Rule) -> tuple[tuple[str, str], ...]:
    """Rules of the default bus are told by their names alone."""
    name = ("RuleName", rule.name)
    return (name,) if rule.bus == bus.DEFAULT else (("EventBusName", rule.bus), name)
