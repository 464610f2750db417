"""Works off the outbox, and tries again what fails. User guide, "How EventBridge retries delivering events"."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from msgspec.structs import replace

from cloudlet.core import Arn, Transaction
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.core.moments import first, notified
from cloudlet.core.retrying import Exhausted, Failed, following_attempt
from cloudlet.services.events import measuring, outbox, target
from cloudlet.services.events.delivery_record import Delivery, Lane
from cloudlet.services.events.target import BATCH

log = logging.getLogger("cloudlet.events")

_LANES: Final = 1000
_AT_ONCE: Final = 10 * BATCH


async def deliver(block: Block) -> None:
    """Deliver what is in the outbox, until the block ends."""
    lease = Lease(block)
    busy: set[Lane] = set()
    end: BaseException
    try:
        async with notified(block, outbox.TOPIC) as changed, asyncio.TaskGroup() as group:
            while True:
                changed.clear()
                after: Lane | None = None
                while found := await block.store.transact(lambda tx, after=after: outbox.lanes(tx, after, _LANES)):  # type: ignore[misc]
                    for lane in found:
                        if lane not in busy:
                            busy.add(lane)
                            group.create_task(_work_off(block, lease, lane, busy, changed))
                    after = found[-1]
                await changed.wait()
    except BaseException as error:
        end = error
    await lease.release()
    raise end


async def _work_off(block: Block, lease: Lease, lane: Lane, busy: set[Lane], changed: asyncio.Event) -> None:
    """Deliver all that waits in a lane."""
    # An endpoint may take its time, or be sent little a second: what is under way there may come again after a crash.
    at_once = BATCH if target.is_http(Arn.parse(lane.target)) else _AT_ONCE
    try:
        async with notified(block, lane.rows.prefix) as more:
            while True:
                more.clear()
                waiting = await block.store.transact(lambda tx: outbox.first(tx, lane, at_once))
                if not waiting:
                    return
                due = [each for each in waiting if each.due <= block.clock.now() * 1000]
                if not due:
                    await first(block, more, waiting[0].due / 1000)
                    continue
                await lease.hold()
                await _deliver(block, lane, due)
    finally:
        busy.discard(lane)
        changed.set()


async def _deliver(block: Block, lane: Lane, due: list[Delivery]) -> None:
    """Try deliveries that are due, and write down what became of them."""
    following = await attempt(block, lane, due)

    async def settle(tx: Transaction) -> None:
        for delivery, after in zip(due, following, strict=True):
            outbox.remove(tx, delivery)
            if after is not None:
                outbox.save(tx, after)

    await block.store.transact(settle)


async def attempt(block: Block, lane: Lane, due: list[Delivery]) -> list[Delivery | None]:
    """Try deliveries of one lane; return what follows each, if anything."""
    batches = [due[at : at + BATCH] for at in range(0, len(due), BATCH)]
    giving = [target.give(block, lane, batch) for batch in batches]
    outcomes = [await giving[0]] if len(giving) == 1 else await asyncio.gather(*giving)
    failures = [failed for batch in outcomes for failed in batch]
    now = block.clock.now()
    following = [
        None if failed is None else _after(delivery, failed, now)
        for delivery, failed in zip(due, failures, strict=True)
    ]
    tried = [
        (delivery, failed is not None, after) for delivery, failed, after in zip(due, failures, following, strict=True)
    ]
    measuring.note(block, due[0].rule, tried)
    for failed, after in zip(failures, following, strict=True):
        if failed is not None and after is None:
            log.warning("%s could not be given an event of %s: %s", lane.target, lane.rule, failed)
    return following


def _after(delivery: Delivery, failed: Failed, now: float) -> Delivery | None:
    """Return what follows an attempt that failed at `now` (s): another one, the dead-letter queue, or nothing."""
    attempts = delivery.attempts + 1
    condition = ""
    if not failed.permanent:
        policy = (delivery.target.get("RetryPolicy") or {}) if delivery.dead is None else {}
        try:
            due = following_attempt(policy, attempts, delivery.noted / 1000, now, wait=failed.wait)
        except Exhausted as exhausted:
            condition = exhausted.condition
        else:
            return replace(delivery, attempts=attempts, due=int(due * 1000))
    if delivery.dead is not None or not (delivery.target.get("DeadLetterConfig") or {}).get("Arn"):
        return None
    dead = {
        "RULE_ARN": delivery.rule.arn,
        "TARGET_ARN": delivery.target["Arn"],
        "ERROR_CODE": failed.code,
        "ERROR_MESSAGE": failed.message or failed.code,
        "RETRY_ATTEMPTS": str(delivery.attempts),
    }
    if condition:
        dead["EXHAUSTED_RETRY_CONDITION"] = condition
    return replace(delivery, noted=int(now * 1000), due=int(now * 1000), attempts=0, dead=dead)
