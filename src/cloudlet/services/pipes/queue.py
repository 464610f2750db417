"""A queue as the source of a pipe. User guide, "Amazon Simple Queue Service as a source".

What the target has not taken stays in the queue, and comes again when its visibility timeout is over.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.block import Block
from cloudlet.services.pipes import event, filtering
from cloudlet.services.pipes.calling import call, url_of
from cloudlet.services.pipes.checking import SQS
from cloudlet.services.pipes.event import Event
from cloudlet.services.pipes.execution import execute
from cloudlet.services.pipes.pausing import Backoff
from cloudlet.services.pipes.pipe import Pipe

log = logging.getLogger("cloudlet.pipes")

_WAIT_SECONDS = 20
_AT_ONCE = 10
_LARGEST_BATCH_BYTES = 6 << 20
_EXECUTIONS = 5
"""So many batches of a standard queue are under way at a time."""


class QueueSource:
    """Takes messages from a queue through a pipe."""

    def __init__(self, block: Block, pipe: Pipe, stopping: asyncio.Event) -> None:
        self._block = block
        self._pipe = pipe
        self._stopping = stopping
        self._queue = pipe.source_arn
        self._url = url_of(block, self._queue)
        parameters = pipe.source_parameters[SQS]
        self._size: int = parameters["BatchSize"]
        self._window: int = parameters.get("MaximumBatchingWindowInSeconds") or 0
        # The order of a FIFO queue's groups is kept by doing one thing at a time.
        self._free = asyncio.Semaphore(1 if pipe.source.endswith(".fifo") else _EXECUTIONS)
        self._backoff = Backoff(block, stopping)

    async def check(self) -> None:
        """Raise AwsError unless the queue is there."""
        await call(self._block, self._pipe, self._queue, "GetQueueAttributes", {"QueueUrl": self._url})

    async def run(self) -> None:
        """Take messages until the pipe stops; what is under way is finished then."""
        async with asyncio.TaskGroup() as executions:
            while not self._stopping.is_set():
                await self._free.acquire()
                try:
                    batch = await self._receive()
                except AwsError as error:
                    self._free.release()
                    log.warning("%s cannot receive from %s: %s", self._pipe.arn, self._pipe.source, error)
                    await self._backoff.wait()
                    continue
                if batch:
                    executions.create_task(self._work_off(batch))
                else:
                    self._free.release()

    async def _receive(self) -> list[Event]:
        """Return a batch; nothing where there was none for a while, or the pipe stops."""
        batch = await self._poll(self._size, _WAIT_SECONDS)
        if not batch or not self._window:
            return batch
        loop = asyncio.get_running_loop()
        end, real_end = self._block.clock.now() + self._window, loop.time() + self._window
        bytes_left = _LARGEST_BATCH_BYTES - _bytes(batch)
        while len(batch) < self._size and bytes_left > 0 and not self._stopping.is_set():
            # The window ends by the cloud's clock, and in real time though that stand.
            left = min(end - self._block.clock.now(), real_end - loop.time())
            if left <= 0:
                break
            more = await self._poll(self._size - len(batch), min(_WAIT_SECONDS, max(1, int(left))))
            bytes_left -= _bytes(more)
            batch += more
        return batch

    async def _poll(self, count: int, seconds: int) -> list[Event]:
        params = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": min(count, _AT_ONCE),
            "WaitTimeSeconds": seconds,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        polled = asyncio.ensure_future(call(self._block, self._pipe, self._queue, "ReceiveMessage", params))
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((polled, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not polled.done():
                return []
            messages = polled.result().get("Messages") or ()
        finally:
            polled.cancel()
            stopped.cancel()
        return [event.of_message(message, self._pipe.source, self._queue.region) for message in messages]

    async def _work_off(self, batch: list[Event]) -> None:
        """Take a batch through the pipe, and delete of it what is done."""
        try:
            going = filtering.passing(self._pipe, batch)
            kept = {each.id for each in going}
            await self._delete([each for each in batch if each.id not in kept])
            if not going:
                return
            outcome = await execute(self._block, self._pipe, going)
            failed = {each.id for each in outcome.failed}
            await self._delete([each for each in going if each.id not in failed])
            if outcome.failed:
                await self._backoff.wait()
            else:
                self._backoff.succeed()
        except AwsError as error:
            log.warning("%s cannot delete messages of %s: %s", self._pipe.arn, self._pipe.source, error)
            await self._backoff.wait()
        finally:
            self._free.release()

    async def _delete(self, done: list[Event]) -> None:
        for start in range(0, len(done), _AT_ONCE):
            entries: list[dict[str, Any]] = [
                {"Id": str(number), "ReceiptHandle": each.handle}
                for number, each in enumerate(done[start : start + _AT_ONCE])
            ]
            params = {"QueueUrl": self._url, "Entries": entries}
            await call(self._block, self._pipe, self._queue, "DeleteMessageBatch", params)


def _bytes(batch: list[Event]) -> int:
    return sum(len(each.document["body"]) for each in batch)
