"""One shard of a stream: its records are worked off in their order, batch by batch."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any
from zlib import crc32

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws.polling import checkpoints, source_record
from cloudlet.core.aws.polling.checkpoints import Checkpoint
from cloudlet.core.aws.polling.pausing import BatchingWindow, Stopped, sleep_unless_stopped
from cloudlet.core.aws.polling.poller import FOR_EVER, Poller
from cloudlet.core.aws.polling.source_record import Record
from cloudlet.core.background.retrying import is_transient
from cloudlet.wire.timestamps import iso8601, milliseconds

_RECORDS = 1000
_SHORTEST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0
_GONE = ("ExpiredIteratorException", "TrimmedDataAccessException")


class Shard:
    """Reads a shard from a position on."""

    def __init__(self, poller: Poller, id: str, position: Checkpoint) -> None:
        self._poller = poller
        self._source = poller.source
        self._id = id
        self._position = position
        self._iterator: str | None = None
        self._turn = poller.lease.turns
        self._backoff = poller.backoff()

    async def run(self) -> None:
        """Read until the shard ends or the poller stops."""
        poller = self._poller
        idle = _SHORTEST_PAUSE_SECONDS
        while not poller.stopping.is_set():
            try:
                await poller.lease.hold()
                if poller.lease.turns != self._turn:
                    # Another process may have read it: it is begun again, from where that has left off.
                    return
                batch, has_more = await self._read()
                self._backoff.succeed()
            except AwsError as error:
                self._iterator = None
                poller.log.warning("%s cannot read %s: %s", poller.arn, self._source.arn, error)
                await self._backoff.wait()
                continue
            try:
                async with poller.lease.during():
                    await self._work_off(batch)
                if not has_more:
                    await self._end()
                    return
            except Stopped:
                return
            idle = _SHORTEST_PAUSE_SECONDS if batch else min(idle * 2, _LONGEST_PAUSE_SECONDS)
            if len(batch) < self._source.batch_size:
                await sleep_unless_stopped(poller.stopping, idle)

    async def _begin(self) -> str:
        """Return an iterator at the position. Raises AwsError."""
        where: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._position.sequence:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._position.sequence}
        elif self._source.since is not None:
            # A moment means the same after a crash; the shard's end would not.
            where = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": self._source.since}
        params = {"StreamArn": str(self._source.arn), "ShardId": self._id}
        try:
            answer = await self._poller.ask("GetShardIterator", {**params, **where})
        except AwsError as error:
            if error.code != "TrimmedDataAccessException":
                raise
            answer = await self._poller.ask("GetShardIterator", {**params, "ShardIteratorType": "TRIM_HORIZON"})
        return str(answer["ShardIterator"])

    async def _read(self) -> tuple[list[Record], bool]:
        """Return a batch, and whether the shard may have more. Raises AwsError."""
        size = self._source.batch_size
        batch: list[Record] = []
        window = BatchingWindow(self._poller.block, self._source.window)
        while True:
            asked = min(size - len(batch), _RECORDS)
            more = await self._fetch(asked)
            batch += more
            is_full = len(batch) >= size or source_record.size(batch) >= self._source.room
            if self._iterator is None or is_full or self._poller.stopping.is_set():
                break
            if len(more) < asked:
                if window.left <= 0:
                    break
                await sleep_unless_stopped(self._poller.stopping, _SHORTEST_PAUSE_SECONDS)
        return batch, self._iterator is not None

    async def _fetch(self, count: int) -> list[Record]:
        """Return records from the iterator on, which is moved; it is None at the end of the shard. Raises AwsError."""
        for is_again in (False, True):
            if self._iterator is None:
                self._iterator = await self._begin()
            try:
                answer = await self._poller.ask("GetRecords", {"ShardIterator": self._iterator, "Limit": count})
            except AwsError as error:
                if is_again or error.code not in _GONE:
                    raise
                self._iterator = None
            else:
                self._iterator = answer.get("NextShardIterator")
                return [source_record.from_change(each, str(self._source.arn)) for each in answer["Records"]]
        raise AssertionError("the second attempt returns or raises")

    async def _work_off(self, batch: list[Record]) -> None:
        """Give a batch to the poller, then move the position on. Raises Stopped."""
        if not batch:
            return
        lanes: defaultdict[int, list[Record]] = defaultdict(list)
        for each in await self._poller.passing(batch):
            keys = msgspec.json.encode(each.document["dynamodb"]["Keys"])
            lanes[crc32(keys) % self._source.lanes].append(each)
        carried = (self._poller.process_records(self, lane) for lane in lanes.values())
        for result in await asyncio.gather(*carried, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        await self._move(Checkpoint(batch[-1].handle))

    async def _end(self) -> None:
        """Note that all of the shard is done. Raises Stopped."""
        await self._move(Checkpoint(self._position.sequence, ended=True))

    async def _move(self, position: Checkpoint) -> None:
        async def body(tx: Transaction) -> None:
            checkpoints.save(tx, self._poller.id, self._id, position)

        await self._poller.block.store.transact(body)
        self._position = position

    async def without_old(self, batch: list[Record], context: dict[str, Any]) -> list[Record]:
        """Return records without those that are older than is allowed; those are given up. Raises Stopped.

        `context` is what is told of these, beside where they are.
        """
        if self._source.maximum_age == FOR_EVER:
            return batch
        oldest = self._poller.block.clock.now() - self._source.maximum_age
        old = [each for each in batch if each.at < oldest]
        if old:
            await self.give_up(old, context)
        return [each for each in batch if each.at >= oldest]

    async def give_up(self, batch: list[Record], context: dict[str, Any]) -> None:
        """Tell the source's letters, if there are any, about records that are given up. Raises Stopped."""
        poller = self._poller
        poller.log.warning("%s gives up %d records of %s", poller.arn, len(batch), self._id)
        document = {**context, **self._where(batch)}
        backoff = poller.backoff()
        while self._source.letters:
            try:
                await poller.send_dead_letter(self._id, batch, document)
                return
            except AwsError as error:
                poller.log.warning("%s does not take what is given up: %s", self._source.letters, error)
                if not is_transient(error.code, error.status):
                    return
            await backoff.insist()

    def _where(self, batch: list[Record]) -> dict[str, Any]:
        """Return where records are, as is told of those that are given up.

        Lambda's developer guide, "Retain discarded batch records for a DynamoDB event source in Lambda".
        """
        return {
            "version": "1.0",
            "timestamp": milliseconds(self._poller.block.clock.now()),
            "DDBStreamBatchInfo": {
                "shardId": self._id,
                "startSequenceNumber": batch[0].handle,
                "endSequenceNumber": batch[-1].handle,
                "approximateArrivalOfFirstRecord": iso8601(int(batch[0].at)),
                "approximateArrivalOfLastRecord": iso8601(int(batch[-1].at)),
                "batchSize": len(batch),
                "streamArn": str(self._source.arn),
            },
        }
