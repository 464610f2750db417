"""Tumbling windows: what a function has made of the records of some time is given to it with the next ones.

Developer guide, "Implementing stateful DynamoDB stream processing in Lambda". The state is kept with the position in
the shard: what of a window is done, and what came of that, stay together over a crash.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from cloudlet.core.aws import iso8601
from cloudlet.core.aws.polling.checkpoints import Checkpoint
from cloudlet.core.aws.polling.shard import Shard
from cloudlet.core.aws.polling.source_record import Record

if TYPE_CHECKING:
    from cloudlet.services.lambda_.polling.poller import MappingPoller

_LARGEST_STATE_BYTES = 1 << 20
_LATE_SECONDS = 2.0
"""So long after a window's end it is waited for records of its time that are not to be read yet."""
_NOTHING = b"{}"


class _Open(msgspec.Struct, array_like=True):
    """A window that is open."""

    start: int
    """In seconds since the epoch."""
    state: bytes = _NOTHING
    """What the function has returned last, as JSON."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Open).decode


class WindowedShard(Shard):
    """Reads a shard, whose records belong to windows by the times at which they came."""

    def __init__(self, poller: MappingPoller, id: str, position: Checkpoint, seconds: int) -> None:
        super().__init__(poller, id, position)
        self._mapping_poller = poller
        self._seconds = seconds
        self._open = _decode(position.kept) if position.kept else None

    async def _work_off(self, batch: list[Record]) -> None:
        for start, records in groupby(batch, self._start):
            if self._open is not None and start > self._open.start:
                await self._close()
            part = list(records)
            if passing := await self._poller.passing(part):
                self._open = self._open or _Open(start)
                await self._poller.process_records(self, passing)
            await self._move(Checkpoint(part[-1].handle, kept=_encode(self._open) if self._open else b""))
        if not batch and self._open is not None:
            over = self._open.start + self._seconds + _LATE_SECONDS
            if self._poller.block.clock.now() >= over:
                await self._close()

    def _start(self, record: Record) -> int:
        return int(record.at) // self._seconds * self._seconds

    async def _end(self) -> None:
        if self._open is not None:
            await self._close()
        await super()._end()

    async def _close(self) -> None:
        """Have the function end the window. Raises Stopped."""
        await self._end_window(is_early=False)
        self._open = None
        await self._move(Checkpoint(self._position.sequence))

    async def keep(self, state: bytes) -> None:
        """Keep what the function has returned; where that is too large, the window ends early. Raises Stopped."""
        if self._open is None:
            raise RuntimeError("there is no window")
        self._open.state = state
        if len(state) > _LARGEST_STATE_BYTES:
            await self._end_window(is_early=True)
            self._open.state = _NOTHING

    async def _end_window(self, *, is_early: bool) -> None:
        if self._open is None:
            raise RuntimeError("there is no window")
        end = float(self._open.start + self._seconds)
        await self._mapping_poller.end_window(self, self.shown(is_final=True, is_early=is_early), end)

    def _where(self, batch: list[Record]) -> dict[str, Any]:
        if batch or self._open is None:
            return super()._where(batch)
        # It is the window's end that is given up, whose records have been taken.
        start, done = self._open.start, self._position.sequence
        first, last = (Record("", None, handle=done, at=float(at)) for at in (start, start + self._seconds))
        told = super()._where([first, last])
        return {**told, "DDBStreamBatchInfo": {**told["DDBStreamBatchInfo"], "batchSize": 0}}

    def shown(self, *, is_final: bool = False, is_early: bool = False) -> dict[str, Any]:
        """Return what the function is told of the window that is open."""
        if self._open is None:
            raise RuntimeError("there is no window")
        start = self._open.start
        return {
            "window": {"start": iso8601.second(start), "end": iso8601.second(start + self._seconds)},
            "state": msgspec.Raw(self._open.state),
            "shardId": self._id,
            "eventSourceARN": str(self._source.arn),
            "isFinalInvokeForWindow": is_final,
            "isWindowTerminatedEarly": is_early,
        }
