"""The metric of KMS: how long imported key material is still valid.

Developer guide, "Monitor KMS keys with Amazon CloudWatch".
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import Row
from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.metrics import PERIOD_SECONDS, clamp_to_ended_minute, get_metrics, is_first
from cloudlet.services.kms import due

MAX_MEASURED_KEYS: Final = 10_000


async def measure(block: Block) -> None:
    """Measure the time until imported materials expire, of those that expire first."""
    space = due.get_space("expire")

    async def body(tx: Transaction) -> list[Row]:
        rows = await tx.range(space.begin, space.end, limit=MAX_MEASURED_KEYS)
        return [space.unpack(key) for key, _ in rows]

    now = block.clock.now()
    at = clamp_to_ended_minute(now)
    if not await is_first(block, "expiry", int(at) // PERIOD_SECONDS):
        return
    measured: set[Row] = set()
    for when, *place in await block.store.transact(body):
        account, region, key_id = place
        if (account, region, key_id) in measured:
            # Another material of the key expires sooner.
            continue
        measured.add((account, region, key_id))
        dimensions = (("KeyId", key_id),)
        left = when / 1000 - now
        get_metrics(block).add(
            account, region, "SecondsUntilKeyMaterialExpiration", dimensions, at, left, unit="Seconds"
        )
