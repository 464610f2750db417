"""The log of one process of a function: gathered, and sent to CloudWatch Logs in batches, through its API.

What is printed is no acknowledged data: while CloudWatch Logs is down it waits in memory, and the oldest of it is
dropped beyond a bound.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from time import gmtime, strftime
from typing import Any

from cloudlet.core import AwsError, log_groups
from cloudlet.core.block import Block
from cloudlet.core.ids import random_bytes
from cloudlet.services.lambda_.function import Version

log = logging.getLogger("cloudlet.lambda")

_GATHERED_SECONDS = 0.1
_PAUSE_SECONDS = 2.0
_LAST_SECONDS = 2.0
_TRIES = 30
_EVENT_BYTES = 256 << 10
_BATCH_BYTES = 900_000
_BATCH_EVENTS = 5_000
_EVENT_OVERHEAD = 26
_MOST_BYTES = 4 << 20
_TAIL_BYTES = 4096


def lines_of(text: str, *, whole: bool) -> list[str]:
    """Return the lines of what was printed: only a line feed ends one, as on AWS; `whole` is one, whatever is in it."""
    return [text.rstrip("\n")] if whole else text.removesuffix("\n").split("\n")


class LogStream:
    """Where one process of a version writes."""

    def __init__(self, block: Block, version: Version) -> None:
        day = strftime("%Y/%m/%d", gmtime(block.clock.now()))
        self.name = f"{day}/[{version.version}]{random_bytes(16).hex()}"
        self._block = block
        self._place = version.place
        self._group = version.log_group
        self._waiting: deque[tuple[int, str, int]] = deque()
        """Milliseconds since the epoch, text, and size as CloudWatch Logs counts it."""
        self._bytes = 0
        self._dropped = 0
        self._made = False
        self._sending: asyncio.Task[None] | None = None
        self._hurried = asyncio.Event()
        """Set where Cloudlet is about to stop."""
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0

    def begin(self) -> None:
        """Forget the end of the log: an invocation begins."""
        self._tail.clear()
        self._tail_bytes = 0

    def tail(self) -> bytes:
        """Return what was written since, 4 KB of it at most."""
        return b"".join(self._tail)[-_TAIL_BYTES:]

    def write(self, text: str, *, whole: bool = True) -> None:
        """Write an event or, where it is not `whole`, one for each line."""
        encoded = text.encode("utf-8", "replace")
        self._tail.append(encoded)
        self._tail_bytes += len(encoded)
        while self._tail_bytes - len(self._tail[0]) >= _TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft())
        now = int(self._block.clock.now() * 1000)
        for line in lines_of(text, whole=whole):
            for begin in range(0, len(line), _EVENT_BYTES // 4):
                self._add(now, line[begin : begin + _EVENT_BYTES // 4])
        if self._sending is None and self._waiting:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    def _add(self, now: int, text: str) -> None:
        size = len(text.encode("utf-8", "replace")) + _EVENT_OVERHEAD
        self._waiting.append((now, text, size))
        self._bytes += size
        while self._bytes > _MOST_BYTES:
            self._bytes -= self._waiting.popleft()[2]
            self._dropped += 1

    async def flush(self, *, hurried: bool = False) -> None:
        """Wait until what was written is sent, or given up; `hurried`: it is tried at once, and once only."""
        if hurried:
            self._hurried.set()
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=_LAST_SECONDS if hurried else None)

    async def _send(self) -> None:
        try:
            while self._waiting:
                await self._pause(_GATHERED_SECONDS)
                batch = self._batch()
                if not await self._put(batch):
                    self._dropped += len(batch)
                if self._dropped:
                    log.warning("%d log events of %s were dropped", self._dropped, self._place.name)
                    self._dropped = 0
        finally:
            self._sending = None

    def _batch(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        size = 0
        while self._waiting and len(events) < _BATCH_EVENTS and size < _BATCH_BYTES:
            at, text, bytes_ = self._waiting.popleft()
            self._bytes -= bytes_
            size += bytes_
            events.append({"timestamp": at, "message": text})
        # Where the clock of the cloud was set back, the order of writing counts.
        return sorted(events, key=lambda event: event["timestamp"])

    async def _put(self, events: list[dict[str, Any]]) -> bool:
        """Send events; return whether CloudWatch Logs has taken them."""
        params = {"logGroupName": self._group, "logStreamName": self.name, "logEvents": events}
        for _ in range(_TRIES):
            try:
                if not self._made:
                    await self._make()
                await self._call("PutLogEvents", params)
            except AwsError as error:
                if error.code == "ResourceNotFoundException":
                    self._made = False
                elif error.status is None or error.status < 500:
                    log.warning("CloudWatch Logs does not take what %s logs: %s", self._place.name, error)
                    return False
                if self._hurried.is_set():
                    return False
                await self._pause(_PAUSE_SECONDS)
            else:
                return True
        return False

    async def _pause(self, seconds: float) -> None:
        """Wait, unless there is no time for that."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurried.wait(), seconds)

    async def _make(self) -> None:
        await log_groups.create_group(self._call, self._group)
        await log_groups.create_stream(self._call, self._group, self.name)
        self._made = True

    async def _call(self, operation: str, params: dict[str, Any]) -> None:
        await self._block.call("logs", operation, params, account=self._place.account, region=self._place.region)
