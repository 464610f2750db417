"""A queue as a source. Lambda's developer guide, "Using Lambda with Amazon SQS".

What has not been taken stays in the queue, and comes again when its visibility timeout is over.
"""

from __future__ import annotations

import asyncio

from cloudlet.core import AwsError
from cloudlet.core.aws.messages import queue_url
from cloudlet.core.aws.polling import source_record
from cloudlet.core.aws.polling.pausing import BatchingWindow
from cloudlet.core.aws.polling.poller import Poller
from cloudlet.core.aws.polling.source_record import Record

_WAIT_SECONDS = 20
_AT_ONCE = 10
_STEP = 5
"""The batches that are under way at first, and that each step adds.

Lambda's developer guide, "Configuring scaling behavior for SQS event source mappings".
"""
_STEP_SECONDS = 1.0
"""The time between two steps. AWS adds up to 300 in a minute."""


class Room:
    """Room for batches: for few at first, and step by step for more, while it is used up and batches succeed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._changed = asyncio.Event()
        self._shrink()

    def _shrink(self) -> None:
        self.size = min(_STEP, self._most)
        self._grows_at = asyncio.get_running_loop().time() + _STEP_SECONDS

    async def take(self) -> None:
        """Return once there is room for a batch, which is then to be given back."""
        while self._taken >= self.size:
            self._changed.clear()
            await self._changed.wait()
        self._taken += 1

    def give_back(self, *, has_succeeded: bool) -> None:
        """Give back what a batch has taken, which may have failed, or not even come."""
        now = asyncio.get_running_loop().time()
        if not has_succeeded:
            self._shrink()
        elif self._taken >= self.size and now >= self._grows_at:
            self.size = min(self.size + _STEP, self._most)
            self._grows_at = now + _STEP_SECONDS
        self._taken -= 1
        self._changed.set()


class Queue:
    """Takes messages from a queue."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._source = poller.source
        self._url = queue_url(poller.block, poller.source.arn)
        self._is_fifo = poller.source.arn.resource.endswith(".fifo")
        self._room = Room(poller.source.batches)
        self._backoff = poller.backoff()

    async def run(self) -> None:
        """Take messages until the poller stops; what is under way is finished then."""
        async with asyncio.TaskGroup() as group:
            while not self._poller.stopping.is_set():
                await self._room.take()
                batch: list[Record] = []
                try:
                    batch = await self._receive()
                except AwsError as error:
                    self._poller.log.warning("%s cannot receive from %s: %s", self._poller.arn, self._source.arn, error)
                    await self._backoff.wait()
                finally:
                    if not batch:
                        self._room.give_back(has_succeeded=False)
                if batch:
                    group.create_task(self._work_off(batch))

    async def _receive(self) -> list[Record]:
        """Return a batch; nothing where there was none for a while, or the poller stops. Raises AwsError."""
        size, room = self._source.batch_size, self._source.room
        batch = await self._poll(size, _WAIT_SECONDS)
        if not batch:
            return batch
        window = BatchingWindow(self._poller.block, self._source.window)
        while len(batch) < size and source_record.size(batch) < room and not self._poller.stopping.is_set():
            left = window.left
            if left <= 0:
                break
            try:
                batch += await self._poll(size - len(batch), min(_WAIT_SECONDS, max(1, int(left))))
            except AwsError:
                # What is here would else come again later, as if it had failed. The next batch says what is wrong.
                break
        return batch

    async def _poll(self, count: int, seconds: int) -> list[Record]:
        params = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": min(count, _AT_ONCE),
            "WaitTimeSeconds": seconds,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        polled = asyncio.ensure_future(self._poller.ask("ReceiveMessage", params))
        stopped = asyncio.ensure_future(self._poller.stopping.wait())
        try:
            await asyncio.wait((polled, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not polled.done():
                return []
            messages = polled.result().get("Messages") or ()
        finally:
            polled.cancel()
            stopped.cancel()
        queue = self._source.arn
        return [source_record.from_message(message, str(queue), queue.region) for message in messages]

    async def _work_off(self, batch: list[Record]) -> None:
        """Give a batch to the poller, and delete of it what is done."""
        has_failed = True
        try:
            going = await self._poller.passing(batch)
            kept = {each.id for each in going}
            await self._delete([each for each in batch if each.id not in kept])
            has_failed = await self._take(going)
        except AwsError as error:
            self._poller.log.warning("%s: %s", self._poller.arn, error)
            await self._backoff.wait()
        except Exception:
            # The other batches are worked off: what fails here comes again when the queue shows it again.
            self._poller.log.exception("%s failed", self._poller.arn)
            await self._backoff.wait()
        else:
            if has_failed and self._source.slows_down:
                await self._backoff.wait()
            else:
                self._backoff.succeed()
        finally:
            self._room.give_back(has_succeeded=not has_failed)

    async def _take(self, batch: list[Record]) -> bool:
        """Have the poller take a batch; return whether something of it has failed. Raises AwsError."""
        has_failed = False
        for part in self._parts(batch):
            failed = {each.id for each in await self._poller.process_messages(part)}
            await self._delete([each for each in part if each.id not in failed])
            has_failed = has_failed or bool(failed)
            if failed and self._is_fifo:
                # What follows in its group is to come after it.
                break
        return has_failed

    async def _delete(self, done: list[Record]) -> None:
        for start in range(0, len(done), _AT_ONCE):
            entries = [
                {"Id": str(number), "ReceiptHandle": each.handle}
                for number, each in enumerate(done[start : start + _AT_ONCE])
            ]
            await self._poller.ask("DeleteMessageBatch", {"QueueUrl": self._url, "Entries": entries})

    def _parts(self, batch: list[Record]) -> list[list[Record]]:
        """Return a batch in parts that are no larger than what is worked off at once."""
        parts: list[list[Record]] = []
        size = 0
        for each in batch:
            size += each.size + 1
            if not parts or size > self._source.room:
                parts.append([])
                size = each.size + 1
            parts[-1].append(each)
        return parts
