"""One shard of a stream: its records go through the pipe in their order, batch by batch.

Where a batch fails, what failed of it is tried again until it passes, or the source's parameters give it up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Any
from zlib import crc32

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.services.pipes import event, filtering, letters, positions
from cloudlet.services.pipes.calling import call
from cloudlet.services.pipes.checking import STREAM
from cloudlet.services.pipes.event import Event
from cloudlet.services.pipes.execution import execute
from cloudlet.services.pipes.pausing import Backoff, unless
from cloudlet.services.pipes.pipe import Pipe
from cloudlet.services.pipes.positions import Position

log = logging.getLogger("cloudlet.pipes")

_RECORDS = 1000
_LARGEST_BATCH_BYTES = 6 << 20
_SHORTEST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0
_FOR_EVER = -1
_GONE = ("ExpiredIteratorException", "TrimmedDataAccessException")


class Stopped(Exception):
    """The pipe stops while a batch has not passed."""


class Shard:
    """Reads a shard from a position on."""

    def __init__(
        self, block: Block, pipe: Pipe, stopping: asyncio.Event, lease: Lease, id: str, position: Position | None
    ) -> None:
        self._block = block
        self._pipe = pipe
        self._stopping = stopping
        self._lease = lease
        self._id = id
        self._position = position
        self._parameters: dict[str, Any] = pipe.source_parameters[STREAM]
        self._size: int = self._parameters["BatchSize"]
        self._iterator: str | None = None
        self._backoff = Backoff(block, stopping)

    async def run(self) -> None:
        """Read until the shard ends or the pipe stops."""
        idle = _SHORTEST_PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                await self._lease.hold()
                batch, has_more = await self._read()
                self._backoff.succeed()
            except AwsError as error:
                self._iterator = None
                log.warning("%s cannot read %s: %s", self._pipe.arn, self._pipe.source, error)
                await self._backoff.wait()
                continue
            try:
                await self._work_off(batch)
            except Stopped:
                return
            if not has_more:
                await self._move(Position((self._position or Position()).sequence, ended=True))
                return
            idle = _SHORTEST_PAUSE_SECONDS if batch else min(idle * 2, _LONGEST_PAUSE_SECONDS)
            if len(batch) < self._size:
                await unless(self._stopping, idle)

    async def _call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        return await call(self._block, self._pipe, self._pipe.source_arn, operation, params, service="dynamodbstreams")

    async def _begin(self) -> str:
        """Return an iterator at the position."""
        where: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._position is not None and self._position.sequence:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._position.sequence}
        elif self._parameters["StartingPosition"] == "LATEST":
            # A moment means the same after a crash; the shard's end would not.
            where = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": self._pipe.started}
        params = {"StreamArn": self._pipe.source, "ShardId": self._id}
        try:
            answer = await self._call("GetShardIterator", {**params, **where})
        except AwsError as error:
            if error.code != "TrimmedDataAccessException":
                raise
            answer = await self._call("GetShardIterator", {**params, "ShardIteratorType": "TRIM_HORIZON"})
        return str(answer["ShardIterator"])

    async def _read(self) -> tuple[list[Event], bool]:
        """Return a batch, and whether the shard may have more."""
        window = self._parameters.get("MaximumBatchingWindowInSeconds") or 0
        batch: list[Event] = []
        size = 0
        loop = asyncio.get_running_loop()
        end, real_end = self._block.clock.now() + window, loop.time() + window
        while True:
            more = await self._fetch(self._size - len(batch))
            batch += more
            size += sum(each.document["dynamodb"].get("SizeBytes") or 0 for each in more)
            is_full = len(batch) >= self._size or size >= _LARGEST_BATCH_BYTES
            if is_full or self._iterator is None or self._stopping.is_set():
                break
            if not more:
                if min(end - self._block.clock.now(), real_end - loop.time()) <= 0:
                    break
                await unless(self._stopping, _SHORTEST_PAUSE_SECONDS)
        return batch, self._iterator is not None

    async def _fetch(self, count: int) -> list[Event]:
        """Return records from the iterator on, which is moved; it is None at the end of the shard."""
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
                return [event.of_record(record, self._pipe.source) for record in answer["Records"]]
        raise AssertionError("the second attempt returns or raises")

    async def _work_off(self, batch: list[Event]) -> None:
        """Take a batch through the pipe, then move the position on. Raises Stopped."""
        if not batch:
            return
        lanes: defaultdict[int, list[Event]] = defaultdict(list)
        factor: int = self._parameters.get("ParallelizationFactor") or 1
        for each in filtering.passing(self._pipe, batch):
            lanes[crc32(msgspec.json.encode(each.document["dynamodb"]["Keys"])) % factor].append(each)
        results = await asyncio.gather(*(self._pass(events) for events in lanes.values()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        await self._move(Position(batch[-1].handle))

    async def _pass(self, events: list[Event]) -> None:
        """Take events through the pipe until they have passed or are given up. Raises Stopped."""
        backoff = Backoff(self._block, self._stopping)
        most = self._parameters.get("MaximumRetryAttempts", _FOR_EVER)
        attempts = 0
        while events := await self._without_old(events):
            outcome = await execute(self._block, self._pipe, events)
            events = outcome.failed
            if len(events) > 1 and self._parameters.get("OnPartialBatchItemFailure") == "AUTOMATIC_BISECT":
                half = len(events) // 2
                await self._pass(events[:half])
                await self._pass(events[half:])
                return
            attempts += 1
            if events and most != _FOR_EVER and attempts > most:
                await self._give_up(events, "RetryAttemptsExhausted")
                return
            if events:
                await self._pause(backoff)

    async def _pause(self, backoff: Backoff) -> None:
        """Wait before another attempt. Raises Stopped."""
        if not self._stopping.is_set():
            await backoff.wait()
        if self._stopping.is_set():
            raise Stopped

    async def _without_old(self, events: list[Event]) -> list[Event]:
        """Return events without those that are older than the source's parameters allow; those are given up."""
        most = self._parameters.get("MaximumRecordAgeInSeconds", _FOR_EVER)
        if most == _FOR_EVER:
            return events
        oldest = self._block.clock.now() - most
        old = [each for each in events if each.at < oldest]
        if old:
            await self._give_up(old, "MaximumRecordAgeExceeded")
        return [each for each in events if each.at >= oldest]

    async def _give_up(self, events: list[Event], condition: str) -> None:
        """Tell the dead-letter target, if there is one, about events that are given up. Raises Stopped."""
        target = (self._parameters.get("DeadLetterConfig") or {}).get("Arn")
        log.warning("%s gives up %d events: %s", self._pipe.arn, len(events), condition)
        backoff = Backoff(self._block, self._stopping)
        while target is not None:
            try:
                await letters.send(self._block, self._pipe, target, self._id, events, condition)
                return
            except AwsError as error:
                if not letters.may_pass(error):
                    log.warning("%s does not take what %s gives up: %s", target, self._pipe.arn, error)
                    return
            await self._pause(backoff)

    async def _move(self, position: Position) -> None:
        async def body(tx: Any) -> None:
            positions.save(tx, self._pipe, self._id, position)

        await self._block.store.transact(body)
        self._position = position
