"""What goes on in the background: message move tasks, and the deletion of expired messages.

Nothing depends on when this runs but disk space and the speed of move tasks.
"""

from __future__ import annotations

import asyncio

from cloudlet.core.block import Block
from cloudlet.services.sqs import directory, move_tasks, retention
from cloudlet.store import Transaction

_BATCH = 50
_SWEEP_SECONDS = 60.0
_LOCKED_SECONDS = 1.0
"""How long a task waits before it looks again whether message groups are in flight no more."""
_PAGE = 200


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
            await _until(block, started + _LOCKED_SECONDS)
            continue
        done += left
        if task.rate is None:
            count = _BATCH
            await asyncio.sleep(0)
            continue
        await _until(block, started + done / task.rate)
        count = max(1, min(_BATCH, int((block.clock.now() - started) * task.rate) + 1 - done))


async def _until(block: Block, when: float) -> None:
    """Wait for a moment of the cloud's clock."""
    reached = asyncio.Event()
    cancel = block.clock.call_at(when, reached.set)
    try:
        await reached.wait()
    finally:
        cancel()


async def expire_messages(block: Block) -> None:
    """Delete expired messages of all queues, now and then."""
    while True:
        after = b""
        while True:

            async def page(tx: Transaction, after: bytes = after) -> list[bytes]:
                return await directory.names_after(tx, after, _PAGE)

            keys = await block.store.transact(page)
            for key in keys:
                await _expire(block, key)
                await asyncio.sleep(0)
            if len(keys) < _PAGE:
                break
            after = keys[-1]
        await _until(block, block.clock.now() + _SWEEP_SECONDS)


async def _expire(block: Block, key: bytes) -> None:
    async def body(tx: Transaction) -> bool:
        queue = await directory.by_key(tx, key)
        return queue is not None and await retention.expire(tx, queue, int(block.clock.now() * 1000))

    while await block.store.transact(body):
        await asyncio.sleep(0)
