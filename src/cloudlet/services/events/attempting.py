"""Tries deliveries, and tells what follows those that fail. User guide, "How EventBridge retries delivering events"."""

from __future__ import annotations

import asyncio
import logging

from msgspec.structs import replace

from cloudlet.core.background.retrying import DeliveryError, plan_retry
from cloudlet.core.kernel.block import Block
from cloudlet.services.events import measuring, target
from cloudlet.services.events.delivery_record import Delivery, Lane
from cloudlet.services.events.target import BATCH

log = logging.getLogger("cloudlet.events")


async def attempt(block: Block, lane: Lane, due: list[Delivery]) -> list[Delivery | None]:
    """Try deliveries of one lane; return what follows each, if anything."""
    batches = [due[at : at + BATCH] for at in range(0, len(due), BATCH)]
    giving = [target.give(block, lane, batch) for batch in batches]
    outcomes = [await giving[0]] if len(giving) == 1 else await asyncio.gather(*giving)
    failures = [failed for batch in outcomes for failed in batch]
    now = block.clock.now()
    afters = [
        None if failed is None else _after(delivery, failed, now)
        for delivery, failed in zip(due, failures, strict=True)
    ]
    tried = [
        (delivery, failed is not None, after) for delivery, failed, after in zip(due, failures, afters, strict=True)
    ]
    measuring.note(block, due[0].rule, tried)
    for failed, after in zip(failures, afters, strict=True):
        if failed is not None and after is None:
            log.warning("%s could not be given an event of %s: %s", lane.target, lane.rule, failed)
    return afters


def _after(delivery: Delivery, failed: DeliveryError, now: float) -> Delivery | None:
    """Return what follows an attempt that failed at `now` (s): another one, the dead-letter queue, or nothing."""
    changes = plan_retry(delivery, failed, now, {"RULE_ARN": delivery.rule.arn})
    return None if changes is None else replace(delivery, **changes)
