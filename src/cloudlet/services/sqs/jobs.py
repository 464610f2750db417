"""What goes on in the background: message move tasks, and the deletion of expired messages.

Nothing depends on when this runs but disk space and the speed of move tasks.
"""

from __future__ import annotations

import asyncio
from time import perf_counter

from cloudlet.core import Transaction
from cloudlet.core.block import Block
from cloudlet.core.moments import until
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
    changed = asyncio.Event()
    end_watch = block.store.watch(move_tasks.TOPIC, changed.set)
    workers: dict[int, asyncio.Task[None]] = {}
    try:
        async with asyncio.TaskGroup() as group:
            while True:
                changed.clear()
                workers = {queue: worker for queue, worker in workers.items() if not worker.done()}
                for queue in await block.store.transact(move_tasks.running):
                    if queue not in workers:
                        workers[queue] = group.create_task(_move(block, queue, changed))
                await changed.wait()
    finally:
        end_watch()


async def _move(block: Block, queue: int, changed: asyncio.Event) -> None:
    """Do a queue's task, as fast as it may go."""
    current, started, done, count = "", 0.0, 0, 1
    while True:

        async def body(tx: Transaction, count: int = count) -> tuple[int, move_tasks.MoveTask | None]:
            return await move_tasks.step(tx, queue, count, block.clock.now())

        left, task = await block.store.transact(body)
        if task is None:
            # Another task of the same queue may have been started meanwhile.
            changed.set()
            return
        if task.id != current or not left:
            current, started, done = task.id, block.clock.now(), 0
        if not left:
            await until(block, started + _LOCKED_SECONDS)
            continue
        done += left
        if task.rate is None:
            count = _BATCH
            await asyncio.sleep(0)
            continue
        await until(block, started + done / task.rate)
        count = max(1, min(_BATCH, int((block.clock.now() - started) * task.rate) + 1 - done))


async def expire_messages(block: Block) -> None:
    """Delete expired messages of all queues, now and then."""
    while True:
        began = perf_counter()
        async for record in queues_with_messages(block):
            await _expire(block, record)
        pause = max(_SWEEP_SECONDS, _SHARE * (perf_counter() - began))
        await until(block, block.clock.now() + pause)


async def _expire(block: Block, record: QueueRecord) -> None:
    async def body(tx: Transaction) -> bool:
        queue = await directory.by_name(tx, record.account, record.region, record.name)
        return queue is not None and await retention.expire(tx, queue, int(block.clock.now() * 1000))

    while await block.store.transact(body):
        await asyncio.sleep(0)
