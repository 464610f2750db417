"""The jobs of Cloud Control API, which one process at a time does."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import run_leased_jobs
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudcontrol import requests
from cloudlet.services.cloudcontrol.working import REQUESTS


async def run(block: Block) -> None:
    """Carry out requests, and delete old ones, until the block ends."""
    await run_leased_jobs(block, reconcile=_reconcile, expire=_expire)


async def _reconcile(block: Block, lease: Lease) -> None:
    async with lease.during():
        await REQUESTS.run(block)


async def _expire(block: Block, lease: Lease) -> None:
    async def delete(tx: Transaction, row: bytes) -> None:
        await requests.delete_expired(tx, block.cloud.vault, row)

    async with lease.during():
        await delete_expired(block, requests.get_times(), requests.KEPT_SECONDS, delete)
