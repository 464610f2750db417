"""The log of one process of a function: gathered, and sent to CloudWatch Logs in batches, through its API.

While CloudWatch Logs is down it waits, and the oldest of it is dropped beyond a bound. What waits is in a file, too: if
this process is killed, the next one sends it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import gmtime, strftime
from typing import Any

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.aws import log_groups
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.lambda_.execution import log_spool
from cloudlet.services.lambda_.execution.log_spool import Address, Event, LogSpool
from cloudlet.services.lambda_.functions.function import Place, Version
from cloudlet.services.lambda_.functions.roles import make_lambda_session

log = logging.getLogger("cloudlet.lambda")

_GATHERED_SECONDS = 0.1
_PAUSE_SECONDS = 2.0
_LOOK_SECONDS = 10.0
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


async def send_left(block: Block) -> None:
    """Send what processes have left that were killed, until the block ends."""
    while True:
        for file in await asyncio.to_thread(log_spool.files, block):
            try:
                with log_spool.left(file) as found:
                    if found is not None:
                        await _send_all(block, *found)
            except FileNotFoundError:
                # Its process, or another one like this, was quicker.
                continue
            except (OSError, AwsError, msgspec.DecodeError) as error:
                log.warning("what is in %s is not in CloudWatch Logs yet: %s", file, error)
        await back_off(block, _LOOK_SECONDS)


async def _send_all(block: Block, address: Address, events: list[Event]) -> None:
    """Send what is in a file. Raises AwsError where that is to be tried again."""

    async def call(operation: str, params: dict[str, Any]) -> None:
        await _call(block, address, operation, params)

    events.sort(key=lambda event: event[0])
    while events:
        size = count = 0
        while count < len(events) and count < _BATCH_EVENTS and size < _BATCH_BYTES:
            size += len(events[count][1].encode("utf-8", "replace")) + _EVENT_OVERHEAD
            count += 1
        batch = [{"timestamp": at, "message": text} for at, text in events[:count]]
        try:
            await _create_stream(call, address)
            await log_groups.write(call, address.group, address.stream, batch)
        except AwsError as error:
            if error.status is None or error.status >= 500:
                raise
            log.warning("CloudWatch Logs does not take what was logged to %s: %s", address.group, error)
        del events[:count]


async def _create_stream(call: log_groups.Call, address: Address) -> None:
    """Create a stream, and its group where that is not there. Raises AwsError."""
    try:
        await log_groups.create_stream(call, address.group, address.stream)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        await log_groups.create_group(call, address.group)
        await log_groups.create_stream(call, address.group, address.stream)


async def _call(block: Block, address: Address, operation: str, params: dict[str, Any]) -> None:
    """Call CloudWatch Logs by the role of a function, as Lambda does. Raises AwsError."""
    account, region = address.account, address.region
    if not address.role:
        # An older Cloudlet has left it.
        await block.call("logs", operation, params, account=account, region=region)
        return
    session = make_lambda_session(Place(account, region, address.function), address.role)
    await block.cloud.call("logs", operation, params, principal=session, account=account, region=region)


class LogStream:
    """Where one process of a version writes."""

    def __init__(self, block: Block, version: Version) -> None:
        day = strftime("%Y/%m/%d", gmtime(block.clock.now()))
        self.name = f"{day}/[{version.version}]{random_bytes(16).hex()}"
        self._block = block
        self._place = version.place
        self._group = version.log_group
        place = version.place
        self._address = Address(place.account, place.region, self._group, self.name, place.name, version.role)
        self._spool = LogSpool(block, self._address)
        self._waiting: deque[tuple[int, str, int]] = deque()
        """Milliseconds since the epoch, text, and size as CloudWatch Logs counts it."""
        self._bytes = 0
        self._noted = 0
        """The size of the file, roughly."""
        self._under_way: list[Event] = []
        self._is_left = False
        """Whether something is left to the next process."""
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
        events = [
            (now, line[begin : begin + _EVENT_BYTES // 4])
            for line in lines_of(text, whole=whole)
            for begin in range(0, len(line), _EVENT_BYTES // 4)
        ]
        for event in events:
            self._add(*event)
        self._note(events)
        if self._sending is None and self._waiting:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    def _add(self, now: int, text: str) -> None:
        size = len(text.encode("utf-8", "replace")) + _EVENT_OVERHEAD
        self._waiting.append((now, text, size))
        self._bytes += size
        while self._bytes > _MOST_BYTES:
            self._bytes -= self._waiting.popleft()[2]
            self._dropped += 1

    def _note(self, events: list[Event]) -> None:
        """Write down what waits. Without an end it does not, while CloudWatch Logs is down."""
        if not self._block.cloud.config.durable:
            return
        if self._noted > 2 * _MOST_BYTES:
            self._noted = self._bytes
            self._keep_only((*self._under_way, *((at, text) for at, text, _ in self._waiting)))
            return
        self._noted += sum(len(text) + _EVENT_OVERHEAD for _, text in events)
        with self._noting():
            self._spool.add(events)

    def _keep_only(self, events: Sequence[Event]) -> None:
        with self._noting():
            self._spool.replace(events)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            log.warning("what %s logs is not kept for the case of a crash: %s", self._place.name, error)

    async def flush(self, *, hurried: bool = False) -> None:
        """Wait until what was written is sent, or given up; `hurried`: it is tried at once, and once only."""
        if hurried:
            self._hurried.set()
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=_LAST_SECONDS if hurried else None)

    async def close(self, *, hurried: bool = False) -> None:
        """Send what was written; what is not sent in time is left to the next process."""
        await self.flush(hurried=hurried)
        self._spool.close(keep=self._is_left or self._sending is not None)

    async def _send(self) -> None:
        try:
            while self._waiting:
                await self._pause(_GATHERED_SECONDS)
                batch = self._batch()
                if not await self._put(batch):
                    self._is_left = self._block.cloud.config.durable and self._hurried.is_set()
                    self._dropped += 0 if self._is_left else len(batch)
                if self._is_left:
                    return
                self._under_way = []
                if not self._waiting:
                    self._noted = 0
                    self._keep_only(())
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
            self._under_way.append((at, text))
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
        await _create_stream(self._call, self._address)
        self._made = True

    async def _call(self, operation: str, params: dict[str, Any]) -> None:
        await _call(self._block, self._address, operation, params)
