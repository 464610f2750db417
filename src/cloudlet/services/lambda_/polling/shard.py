"""One shard of a stream: its records go to the function in their order, batch by batch.

Where a batch fails, what failed of it is tried again until it passes, or the mapping gives it up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Any
from zlib import crc32

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.services.lambda_.invoking import PAYLOAD_BYTES
from cloudlet.services.lambda_.mapping import Mapping
from cloudlet.services.lambda_.polling import calling, filtering, letters, positions, record
from cloudlet.services.lambda_.polling.calling import Answer
from cloudlet.services.lambda_.polling.pausing import Backoff, unless
from cloudlet.services.lambda_.polling.positions import Position
from cloudlet.services.lambda_.polling.record import Record

log = logging.getLogger("cloudlet.lambda")

_RECORDS = 1000
_SHORTEST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0
_FOR_EVER = -1
_ROOM_BYTES = PAYLOAD_BYTES - 1024
_GONE = ("ExpiredIteratorException", "TrimmedDataAccessException")


class Stopped(Exception):
    """The mapping stops while a batch has not passed."""


class Shard:
    """Reads a shard from a position on."""

    def __init__(
        self, block: Block, mapping: Mapping, stopping: asyncio.Event, lease: Lease, id: str, position: Position | None
    ) -> None:
        self._block = block
        self._mapping = mapping
        self._stopping = stopping
        self._lease = lease
        self._id = id
        self._position = position or Position()
        self._iterator: str | None = None
        self._backoff = Backoff(block, stopping)

    async def run(self) -> None:
        """Read until the shard ends or the mapping stops."""
        idle = _SHORTEST_PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                await self._lease.hold()
                batch, has_more = await self._read()
                self._backoff.succeed()
            except AwsError as error:
                self._iterator = None
                log.warning("%s cannot read %s: %s", self._mapping.arn, self._mapping.source, error)
                await self._backoff.wait()
                continue
            try:
                await self._work_off(batch)
            except Stopped:
                return
            if not has_more:
                await self._move(Position(self._position.sequence, ended=True))
                return
            idle = _SHORTEST_PAUSE_SECONDS if batch else min(idle * 2, _LONGEST_PAUSE_SECONDS)
            if len(batch) < self._mapping.batch_size:
                await unless(self._stopping, idle)

    async def _call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        return await calling.call(self._block, self._mapping, "dynamodbstreams", operation, params)

    async def _begin(self) -> str:
        """Return an iterator at the position. Raises AwsError."""
        where: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._position.sequence:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._position.sequence}
        elif self._mapping.position == "LATEST":
            # A moment means the same after a crash; the shard's end would not.
            where = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": self._mapping.created}
        params = {"StreamArn": self._mapping.source, "ShardId": self._id}
        try:
            answer = await self._call("GetShardIterator", {**params, **where})
        except AwsError as error:
            if error.code != "TrimmedDataAccessException":
                raise
            answer = await self._call("GetShardIterator", {**params, "ShardIteratorType": "TRIM_HORIZON"})
        return str(answer["ShardIterator"])

    async def _read(self) -> tuple[list[Record], bool]:
        """Return a batch, and whether the shard may have more. Raises AwsError."""
        size = self._mapping.batch_size
        batch: list[Record] = []
        loop = asyncio.get_running_loop()
        end, real_end = self._block.clock.now() + self._mapping.window, loop.time() + self._mapping.window
        while True:
            batch += await self._fetch(size - len(batch))
            is_over = min(end - self._block.clock.now(), real_end - loop.time()) <= 0
            is_full = len(batch) >= size or sum(each.size for each in batch) >= _ROOM_BYTES
            if self._iterator is None or is_full or is_over or self._stopping.is_set():
                return batch, self._iterator is not None
            await unless(self._stopping, _SHORTEST_PAUSE_SECONDS)

    async def _fetch(self, count: int) -> list[Record]:
        """Return records from the iterator on, which is moved; it is None at the end of the shard. Raises AwsError."""
        for is_again in (False, True):
            if self._iterator is None:
                self._iterator = await self._begin()
            params = {"ShardIterator": self._iterator, "Limit": min(count, _RECORDS)}
            try:
                answer = await self._call("GetRecords", params)
            except AwsError as error:
                if is_again or error.code not in _GONE:
                    raise
                self._iterator = None
            else:
                self._iterator = answer.get("NextShardIterator")
                return [record.of_change(each, self._mapping.source) for each in answer["Records"]]
        raise AssertionError("the second attempt returns or raises")

    async def _work_off(self, batch: list[Record]) -> None:
        """Give a batch to the function, then move the position on. Raises Stopped."""
        if not batch:
            return
        lanes: defaultdict[int, list[Record]] = defaultdict(list)
        for each in filtering.passing(self._mapping, batch):
            keys = msgspec.json.encode(each.document["dynamodb"]["Keys"])
            lanes[crc32(keys) % self._mapping.parallelization].append(each)
        results = await asyncio.gather(*(self._pass(lane, 0) for lane in lanes.values()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        await self._move(Position(batch[-1].id))

    async def _pass(self, batch: list[Record], attempts: int) -> None:
        """Give records to the function until they have passed or are given up. Raises Stopped."""
        backoff = Backoff(self._block, self._stopping)
        while batch := await self._without_old(batch, attempts):
            if len(batch) > 1 and sum(each.size for each in batch) > _ROOM_BYTES:
                await self._halves(batch, attempts)
                return
            answer = await self._invoke(batch)
            if answer is not None:
                attempts += 1
                before = len(batch)
                batch = _from_first_failed(batch, answer)
                if not batch:
                    return
                if len(batch) < before:
                    # It has made headway: what is left counts anew.
                    attempts = 1
                    backoff.succeed()
                if self._mapping.attempts != _FOR_EVER and attempts > self._mapping.attempts:
                    await self._give_up(batch, letters.Condition("RetryAttemptsExhausted", attempts, answer))
                    return
            if self._stopping.is_set():
                raise Stopped
            await backoff.wait()
            if self._stopping.is_set():
                raise Stopped
            if answer is not None and self._mapping.bisects and len(batch) > 1:
                await self._halves(batch, attempts)
                return

    async def _halves(self, batch: list[Record], attempts: int) -> None:
        half = len(batch) // 2
        await self._pass(batch[:half], attempts)
        await self._pass(batch[half:], attempts)

    async def _invoke(self, batch: list[Record]) -> Answer | None:
        """Return what the function has made of a batch, None where it cannot be invoked now."""
        try:
            return await calling.invoke(self._block, self._mapping, batch)
        except AwsError as error:
            log.warning("%s: %s", self._mapping.arn, error)
            return None

    async def _without_old(self, batch: list[Record], attempts: int) -> list[Record]:
        """Return records without those that are older than the mapping allows; those are given up."""
        if self._mapping.maximum_age == _FOR_EVER:
            return batch
        oldest = self._block.clock.now() - self._mapping.maximum_age
        old = [each for each in batch if each.at < oldest]
        if old:
            await self._give_up(old, letters.Condition("RecordAgeExceeded", attempts, None))
        return [each for each in batch if each.at >= oldest]

    async def _give_up(self, batch: list[Record], condition: letters.Condition) -> None:
        """Tell the mapping's destination, if there is one, about records that are given up. Raises Stopped."""
        log.warning("%s gives up %d records: %s", self._mapping.arn, len(batch), condition.name)
        backoff = Backoff(self._block, self._stopping)
        while self._mapping.on_failure:
            try:
                await letters.send(self._block, self._mapping, self._id, batch, condition)
                return
            except AwsError as error:
                log.warning("%s does not take what is given up: %s", self._mapping.on_failure, error)
                if not letters.may_pass(error):
                    return
            await backoff.wait()
            if self._stopping.is_set():
                raise Stopped

    async def _move(self, position: Position) -> None:
        async def body(tx: Transaction) -> None:
            positions.save(tx, self._mapping, self._id, position)

        await self._block.store.transact(body)
        self._position = position


def _from_first_failed(batch: list[Record], answer: Answer) -> list[Record]:
    """Return what is left to be done of a batch: all from the first record on that has failed.

    Developer guide, "Configuring partial batch response with DynamoDB and Lambda".
    """
    if not answer.failed:
        return []
    return batch[batch.index(answer.failed[0]) :]
