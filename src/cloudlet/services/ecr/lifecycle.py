"""Lifecycle policies at work: each hour by the cloud's clock."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecr import deleting, images, lifecycle_policy, repository
from cloudlet.services.ecr.lifecycle_timers import DUE, TOPIC, schedule

_MAX_EXPIRED_IMAGES: Final = 500
"""Images that are deleted in one transaction; the others follow at once."""


async def _carry_out(tx: Transaction, row: Row, now: float) -> None:
    due, account, region, name, id = row
    found = await repository.find(tx, account, region, name)
    if found is None or found.id != id or found.lifecycle_due != due or not found.lifecycle:
        return
    known = [image async for image in images.walk(tx, found)]
    expired = lifecycle_policy.evaluate(lifecycle_policy.parse(found.lifecycle), known, now)
    for expiry in expired[:_MAX_EXPIRED_IMAGES]:
        await deleting.remove(tx, found, expiry.image, now)
    if len(expired) > _MAX_EXPIRED_IMAGES:
        repository.save(tx, schedule(tx, found, now, 0))
    else:
        repository.save(tx, schedule(tx, replace(found, evaluated=now), now))


async def run(block: Block) -> None:
    """Carry out lifecycle policies, until the block ends."""
    await run_timers(block, TOPIC, DUE, "carrying out the lifecycle policy of", _carry_out, at_once=5)
