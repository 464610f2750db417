"""What EventBridge measures of itself. User guide, "Monitoring Amazon EventBridge"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.metrics import get_metrics, is_measured
from cloudlet.services.events import bus_record
from cloudlet.services.events.delivery_record import Delivery
from cloudlet.services.events.rule_record import Rule

Tried = tuple[Delivery, bool, Delivery | None]
"""A delivery that was tried, whether it failed, and what follows, if anything."""

_SUCCEEDED: Final = ("InvocationAttempts", "SuccessfulInvocationAttempts", "Invocations")


def note(block: Block, rule: Rule, tried: Iterable[Tried]) -> None:
    """Count what became of deliveries of a rule."""
    if not is_measured(block):
        return
    # Of many deliveries nearly all come to the same.
    alike: dict[tuple[str, ...], int] = {}
    for each in tried:
        metrics = _metrics(*each)
        alike[metrics] = alike.get(metrics, 0) + 1
    for dimensions in ((), _dimensions(rule)):
        meter = get_metrics(block).meter(rule.account, rule.region, dimensions)
        if meter is not None:
            for metrics, count in alike.items():
                for metric in metrics:
                    meter.counts[metric] += count


def _metrics(delivery: Delivery, failed: bool, following: Delivery | None) -> tuple[str, ...]:
    """Return the metrics in which an attempt counts."""
    if delivery.dead is not None:
        return ("InvocationsFailedToBeSentToDlq",) * (following is None) if failed else ("InvocationsSentToDlq",)
    if not failed and not delivery.attempts:
        return _SUCCEEDED
    attempted = ("InvocationAttempts", "RetryInvocationAttempts") if delivery.attempts else ("InvocationAttempts",)
    if not failed:
        return (*attempted, "SuccessfulInvocationAttempts", "Invocations")
    if following is None or following.dead is not None:
        return (*attempted, "Invocations", "FailedInvocations")
    return attempted


def _dimensions(rule: Rule) -> tuple[tuple[str, str], ...]:
    """Rules of the default bus are told by their names alone."""
    name = ("RuleName", rule.name)
    return (name,) if rule.bus == bus_record.DEFAULT else (("EventBusName", rule.bus), name)
