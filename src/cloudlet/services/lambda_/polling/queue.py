"""A queue as an event source. Developer guide, "Using Lambda with Amazon SQS".

What the function has not taken stays in the queue, and comes again when its visibility timeout is over.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from cloudlet.core import Arn, AwsError
from cloudlet.core.block import Block
from cloudlet.services.lambda_.invoking import PAYLOAD_BYTES
from cloudlet.services.lambda_.mapping import Mapping
from cloudlet.services.lambda_.polling import calling, filtering, record
from cloudlet.services.lambda_.polling.pausing import Backoff
from cloudlet.services.lambda_.polling.record import Record

log = logging.getLogger("cloudlet.lambda")

_WAIT_SECONDS = 20
_AT_ONCE = 10
_INVOCATIONS = 10
"""So many batches are under way at a time, where that is not said."""
_ROOM_BYTES = PAYLOAD_BYTES - 1024


class Queue:
    """Gives a queue's messages to a function."""

    def __init__(self, block: Block, mapping: Mapping, stopping: asyncio.Event) -> None:
        self._block = block
        self._mapping = mapping
        self._stopping = stopping
        self._queue = Arn.parse(mapping.source)
        self._url = ""
        self._free = asyncio.Semaphore(mapping.maximum_concurrency or _INVOCATIONS)
        self._backoff = Backoff(block, stopping)

    async def run(self) -> None:
        """Take messages until the mapping stops; what is under way is finished then."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping.is_set():
                await self._free.acquire()
                try:
                    batch = await self._receive()
                except AwsError as error:
                    self._free.release()
                    log.warning("%s cannot receive from %s: %s", self._mapping.arn, self._mapping.source, error)
                    await self._backoff.wait()
                    continue
                if batch:
                    group.create_task(self._work_off(batch))
                else:
                    self._free.release()

    async def _call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        return await calling.call(self._block, self._mapping, "sqs", operation, params)

    async def _receive(self) -> list[Record]:
        """Return a batch; nothing where there was none for a while, or the mapping stops. Raises AwsError."""
        if not self._url:
            named = {"QueueName": self._queue.resource, "QueueOwnerAWSAccountId": self._queue.account}
            self._url = (await self._call("GetQueueUrl", named))["QueueUrl"]
        size = self._mapping.batch_size
        batch = await self._poll(size, _WAIT_SECONDS)
        if not batch or not self._mapping.window:
            return batch
        loop = asyncio.get_running_loop()
        end, real_end = self._block.clock.now() + self._mapping.window, loop.time() + self._mapping.window
        while len(batch) < size and _size(batch) < _ROOM_BYTES and not self._stopping.is_set():
            # The window ends by the cloud's clock, and in real time though that stand.
            left = min(end - self._block.clock.now(), real_end - loop.time())
            if left <= 0:
                break
            batch += await self._poll(size - len(batch), min(_WAIT_SECONDS, max(1, int(left))))
        return batch

    async def _poll(self, count: int, seconds: int) -> list[Record]:
        params = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": min(count, _AT_ONCE),
            "WaitTimeSeconds": seconds,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        polled = asyncio.ensure_future(self._call("ReceiveMessage", params))
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((polled, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not polled.done():
                return []
            messages = polled.result().get("Messages") or ()
        finally:
            polled.cancel()
            stopped.cancel()
        return [record.of_message(message, self._mapping.source, self._queue.region) for message in messages]

    async def _work_off(self, batch: list[Record]) -> None:
        """Give a batch to the function, and delete of it what is done."""
        try:
            going = filtering.passing(self._mapping, batch)
            kept = {each.id for each in going}
            await self._delete([each for each in batch if each.id not in kept])
            for part in _parts(going):
                answer = await calling.invoke(self._block, self._mapping, part)
                failed = {each.id for each in answer.failed}
                await self._delete([each for each in part if each.id not in failed])
            self._backoff.succeed()
        except AwsError as error:
            log.warning("%s: %s", self._mapping.arn, error)
            await self._backoff.wait()
        finally:
            self._free.release()

    async def _delete(self, done: list[Record]) -> None:
        for start in range(0, len(done), _AT_ONCE):
            entries = [
                {"Id": str(number), "ReceiptHandle": each.handle}
                for number, each in enumerate(done[start : start + _AT_ONCE])
            ]
            await self._call("DeleteMessageBatch", {"QueueUrl": self._url, "Entries": entries})


def _size(batch: list[Record]) -> int:
    return sum(each.size + 1 for each in batch)


def _parts(batch: list[Record]) -> list[list[Record]]:
    """Return a batch in parts that are no larger than what a function may be given."""
    parts: list[list[Record]] = []
    size = 0
    for each in batch:
        size += each.size + 1
        if not parts or size > _ROOM_BYTES:
            parts.append([])
            size = each.size + 1
        parts[-1].append(each)
    return parts
