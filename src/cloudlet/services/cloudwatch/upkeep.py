"""Keeps the data in order: folds fresh cells into chunks, and forgets what is too old.

What queries answer does not depend on when this runs; disk space and their speed do.
"""

from __future__ import annotations

import asyncio
from functools import partial

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import KeyedTasks, transact_each
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import sleep_until
from cloudlet.services.cloudwatch import directory, history, storage

_AT_ONCE = 200


async def keep_in_order(block: Block, lease: Lease) -> None:
    """Fold and forget for ever, what is due each minute."""
    day = -1
    works = KeyedTasks(block)
    while True:
        await lease.hold()
        now = block.clock.now()
        await _fold(block, lease, works)
        for old, remove, what in (
            (storage.old, storage.remove, "removing the chunk"),
            (history.old, history.remove, "removing from the history"),
        ):
            await works.drain(partial(old, now=now), what, remove, at_once=_AT_ONCE)
        if now // storage.DAY != day:
            await _forget_metrics(block, works, now)
            day = int(now // storage.DAY)
        await sleep_until(block, (now // storage.SOON_SECONDS + 1) * storage.SOON_SECONDS)


async def _fold(block: Block, lease: Lease, works: KeyedTasks) -> None:
    while True:
        count = _AT_ONCE + len(works)
        found = await block.store.transact(lambda tx: storage.due(tx, block.clock.now(), count))  # noqa: B023
        keys = [key for key in found if key not in works]
        if not keys:
            return
        for key in keys:
            await lease.hold()
            await works.attempt(key, f"folding {key!r}", partial(_fold_stream, block, key))


async def _fold_stream(block: Block, key: bytes) -> None:
    # Where it went on before: what was removed there takes time to pass over.
    after: bytes | None = b""
    while after is not None:

        async def some(tx: Transaction, after: bytes = after) -> bytes | None:
            return await storage.fold(tx, key, after, block.clock.now())

        after = await block.store.transact(some)
        await asyncio.sleep(0)


async def _forget_metrics(block: Block, works: KeyedTasks, now: float) -> None:
    after = b""
    while keys := await block.store.transact(lambda tx, after=after: directory.keys(tx, after, _AT_ONCE)):  # type: ignore[misc]
        await works.run_batch(
            keys, "forgetting the metric", partial(transact_each, block, partial(directory.forget, now=now))
        )
        after = keys[-1]
        await asyncio.sleep(0)
