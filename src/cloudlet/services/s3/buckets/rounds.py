"""Rounds: jobs that go through all buckets for which something is configured, each day and when that changes.

Each bucket is a work of its own. One that fails rests, and is then tried again by itself; of the places for buckets an
account has half at most, so that large ones hold up no others for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import duty_cycle, wait_until, watching
from cloudlet.services.s3.buckets import bucket_record
from cloudlet.services.s3.buckets.bucket import all_buckets, find_bucket, name_of
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.retention import lifecycle

_AT_ONCE: Final = 4
_WAITING: Final = 1000
"""So many buckets have been found at most that are not done, but for those that rest."""
_BUCKETS: Final = 100
_SHARE: Final = 4
"""Looking for buckets, after each change, takes a quarter of the time at most."""


async def make(block: Block, topic: bytes, kind: str, what: str, do: Callable[[Bucket], Awaitable[bool]]) -> None:
    """Do something for each bucket with a configuration of a kind, until the block ends.

    A topic is notified of changes. `do` returns whether it has done something: what is configured may have changed
    meanwhile, and it is called again.
    """
    places = FairSemaphore(_AT_ONCE, _AT_ONCE // 2)
    ended = asyncio.Event()
    works = KeyedTasks(block, ended)
    failed: set[str] = set()

    async def one(name: str) -> None:
        failed.add(name)
        is_done = False
        while not is_done and (bucket := await block.store.transact(lambda tx: find_bucket(tx, name))) is not None:
            async with places.hold(bucket.account):
                is_done = not await do(bucket)
        failed.discard(name)

    async def try_again() -> None:
        while True:
            ended.clear()
            for name in [name for name in failed if name not in works]:
                start(name)
            await ended.wait()

    async with watching(block, topic) as changed, asyncio.TaskGroup() as group:

        def start(name: str) -> None:
            works.start(group, name, f"{what} of {name}", partial(one, name))

        group.create_task(try_again())
        while True:
            changed.clear()
            midnight = lifecycle.next_midnight(block.clock.now())
            async for names in _named(block, kind):
                for name in names:
                    start(name)
                while len(works.running) >= _WAITING:
                    ended.clear()
                    await ended.wait()
            await wait_until(block, changed, midnight)


async def _named(block: Block, kind: str) -> AsyncIterator[list[str]]:
    """Yield the names of the buckets with a configuration of a kind, and of those whose record cannot be read."""
    after = b""
    while True:
        async with duty_cycle(_SHARE):
            rows = await block.store.transact(lambda tx, after=after: all_buckets(tx, after, _BUCKETS))  # type: ignore[misc]
            names = [name_of(key) for key, raw in rows if _may_have(raw, kind)]
        if not rows:
            return
        yield names
        after = rows[-1][0]


def _may_have(raw: bytes, kind: str) -> bool:
    with suppress(Exception):
        return kind in bucket_record.decode(raw).kinds
    return True
