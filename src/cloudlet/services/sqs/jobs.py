"""What goes on in the background: message move tasks, and the deletion of expired messages.

Nothing depends on when this runs but disk space and the speed of move tasks.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import perf_counter

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off, watching
from cloudlet.services.sqs import directory, move_tasks, retention
from cloudlet.services.sqs.queue_record import QueueRecord
from cloudlet.services.sqs.walking import queues_with_messages

_BATCH = 50
_SWEEP_SECONDS = 60.0
_LOCKED_SECONDS = 1.0
"""How long a task waits before it looks again whether message groups are in flight no more."""
_SHARE = 100
"""Looking at queues takes no more than about one hundredth of the time, however many they are."""


async def move_messages(block: Block) -> None:
    """Carry on all message move tasks, also those that were under way when the process ended."""
    async with watching(block, move_tasks.TOPIC) as changed, asyncio.TaskGroup() as group:
        works = KeyedTasks(block, changed)
        while True:
            changed.clear()
            for queue in await block.store.transact(move_tasks.running):
                works.start(group, queue, f"moving the messages of queue {queue}", partial(_move, block, queue))
            await changed.wait()


async def _move(block: Block, queue: int) -> None:
    """Do a queue's task, as fast as it may go."""
    current, started, done, count = "", 0.0, 0, 1
    while True:

        async def body(tx: Transaction, count: int = count) -> tuple[int, move_tasks.MoveTask | None]:
            return await move_tasks.step(tx, queue, count, block.clock.now())

        left, task = await block.store.transact(body)
        if task is None:
            return
        if task.id != current or not left:
            current, started, done = task.id, block.clock.now(), 0
        if not left:
            await back_off(block, _LOCKED_SECONDS)
            continue
        done += left
        if task.rate is None:
            count = _BATCH
            await asyncio.sleep(0)
            continue
        # No longer than the last messages take by the rate: the clock may have been set back.
        await back_off(block, min(started + done / task.rate - block.clock.now(), left / task.rate))
        count = max(1, min(_BATCH, int((block.clock.now() - started) * task.rate) + 1 - done))


async def expire_messages(block: Block) -> None:
    """Delete expired messages of all queues, now and then."""
    works = KeyedTasks(block)
    while True:
        began, deleting = perf_counter(), 0.0
        async for record in queues_with_messages(block):
            what = f"deleting expired messages of the queue {record.name} of {record.account} in {record.region}"
            begun = perf_counter()
            if await works.attempt(record.id, what, partial(_expire, block, record)):
                deleting += perf_counter() - begun
        # To delete much is no reason to rest: the longer that were, the more there would be to delete then.
        pause = max(_SWEEP_SECONDS, _SHARE * (perf_counter() - began - deleting))
        await back_off(block, pause)


async def _expire(block: Block, record: QueueRecord) -> bool:
    """Delete the expired messages of a queue; return whether they were many."""

    async def body(tx: Transaction) -> bool:
        queue = await directory.by_name(tx, record.account, record.region, record.name)
        return queue is not None and await retention.expire(tx, queue, int(block.clock.now() * 1000))

    were_many = False
    while await block.store.transact(body):
        were_many = True
        await asyncio.sleep(0)
    return were_many
