"""Works off the firings, and tries again what fails, as the retry policy of the schedule's target says."""

from __future__ import annotations

import logging
from functools import partial

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import start_timers
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import DeliveryError, plan_retry
from cloudlet.core.kernel.block import Block
from cloudlet.services.scheduler import dead_letters, firing, measuring, payload, target
from cloudlet.services.scheduler.firing import Firing

log = logging.getLogger("cloudlet.scheduler")

_AT_ONCE = 64
"""Beside functions that are waited for, which may run for minutes."""


async def invoke(block: Block) -> None:
    """Invoke what is due, until the block ends."""
    async with Lease(block) as lease:
        await start_timers(
            block, lease, firing.TOPIC, firing.first, "the firing", partial(_invoke, block), at_once=_AT_ONCE
        )


async def _invoke(block: Block, due: int, id: str) -> None:
    """Try a firing that is due, and write down what became of it."""
    found = await block.store.transact(lambda tx: firing.get(tx, id))
    if found is None or found.due != due:
        # Another process has tried it meanwhile.
        return
    failed = await _try(block, found)
    now = block.clock.now()
    after = None if failed is None else _after(found, failed, now)
    measuring.note(block, found, failed, after, now)

    async def settle(tx: Transaction) -> None:
        firing.remove(tx, found)
        if after is not None:
            firing.save(tx, after)

    await block.store.transact(settle)
    if failed is not None and after is None:
        log.warning("%s could not be invoked for %s: %s", found.target["Arn"], found.schedule, failed)


async def _try(block: Block, tried: Firing) -> DeliveryError | None:
    try:
        if tried.dead is not None:
            await dead_letters.send(block, tried, tried.dead)
        else:
            await target.invoke(block, tried, payload.of(tried))
    except DeliveryError as failed:
        return failed
    except Exception as error:
        # A fault of ours that one schedule meets does not stop the others.
        log.exception("%s could not be invoked for %s", tried.target["Arn"], tried.schedule)
        return DeliveryError("InternalFailure", str(error), permanent=False)
    return None


def _after(tried: Firing, failed: DeliveryError, now: float) -> Firing | None:
    """Return what follows an attempt that failed at `now` (s): another one, the dead-letter queue, or nothing."""
    changes = plan_retry(tried, failed, now, dead_letters.told(tried))
    return None if changes is None else replace(tried, **changes)
