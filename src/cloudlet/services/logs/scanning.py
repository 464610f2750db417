"""Going through the events of a group, or of one of its streams, in either direction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container
from dataclasses import dataclass
from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.logs import encryption, events, row_record
from cloudlet.services.logs.events import SECOND, Position
from cloudlet.services.logs.matching import matching
from cloudlet.services.logs.patterns import Pattern
from cloudlet.services.logs.protection import Mask
from cloudlet.services.logs.row_record import OVERHEAD, Row

MOST_EVENTS = 10_000
MOST_BYTES = 1_048_576
FOREVER = (1 << 62) - 1
_ROWS_AT_ONCE = 32
_SPARE_EVENTS = 10_000
"""How many more than two pages are kept of a second before those that come after a page are let go."""
_LARGE_BYTES = 65_536
"""Of a row after which others have their turn."""
_MOST_READ_BYTES = 512 * 1024 * 1024
"""After which a page ends, though it may have nothing."""
_LAST = ((1 << 48) - 1, (1 << 48) - 1, (1 << 16) - 1)


class Found(NamedTuple):
    """An event. Times are in milliseconds since the epoch."""

    position: Position
    ingested: int
    message: str


@dataclass(frozen=True, slots=True)
class Search:
    """Which events are wanted."""

    group: int
    stream: int | None = None
    """The only stream that is looked at."""
    streams: Container[int] | None = None
    """The streams whose events are wanted; None: of all."""
    first: int = 0
    last: int = FOREVER
    """Between which timestamps, both inclusive."""
    after: Position | None = None
    before: Position | None = None
    """Between which positions, both exclusive."""
    reverse: bool = False
    pattern: Pattern | None = None
    account: str = ""
    """For whom the pattern is looked for."""
    mask: Mask | None = None
    """What masks messages before anything else sees them."""

    def wants(self, position: Position) -> bool:
        return (
            self.first <= position.timestamp <= self.last
            and (self.after is None or position > self.after)
            and (self.before is None or position < self.before)
        )

    def may_want(self, lowest: Position, highest: Position) -> bool:
        """Whether one between two positions may be wanted, both of which are included."""
        return (
            self.first <= highest.timestamp
            and lowest.timestamp <= self.last
            and (self.after is None or highest > self.after)
            and (self.before is None or lowest < self.before)
        )


async def page(block: Block, search: Search, most: int) -> tuple[list[Found], Position | None]:
    """Return the first events, as many as are wanted and fit into 1 MB; and from where on there may be more.

    Raises AwsError where they are encrypted, and cannot be decrypted.
    """
    found: list[Found] = []
    size = 0
    async for second in _seconds(block, search, most):
        for event in second.found:
            size += len(event.message.encode()) + OVERHEAD
            if len(found) == most or (found and size > MOST_BYTES):
                return found, found[-1].position
            found.append(event)
        if second.is_last:
            return found, _before(second) if search.reverse else _behind(second)
    return found, None


def _behind(second: _Second) -> Position:
    """Return the last position in a second."""
    return Position(second.number * SECOND + SECOND - 1, *_LAST)


def _before(second: _Second) -> Position:
    """Return a position before all that are of events in a second."""
    return Position(second.number * SECOND, 0, 0, 0)


async def _seconds(block: Block, search: Search, most: int) -> AsyncIterator[_Second]:
    """Yield the seconds that have such events, in order, until so much has been read that it is enough for once."""
    second = _Second(None, search.reverse, most)
    read = 0
    first = search.first if search.after is None else max(search.first, search.after.timestamp)
    last = search.last if search.before is None else min(search.last, search.before.timestamp)
    low, high = events.bounds(search.group, search.stream, first, last)
    while low < high:

        async def rows(
            tx: Transaction, low: bytes = low, high: bytes = high
        ) -> list[tuple[bytes, events.Place, bytes]]:
            return await events.between(
                tx, search.group, search.stream, low, high, _ROWS_AT_ONCE, reverse=search.reverse
            )

        some = await block.store.transact(rows)
        for _, place, raw in some:
            number = place.first // SECOND
            if number != second.number:
                second.is_last = read > _MOST_READ_BYTES
                if second.found or second.is_last:
                    yield second.sorted()
                second = _Second(number, search.reverse, most)
            read += len(raw)
            if not search.reverse and second.is_beyond(place.lowest, place.lowest):
                # So are all rows behind it, and there is more than a page.
                yield second.sorted()
                return
            if search.streams is not None and place.stream not in search.streams:
                continue
            if search.pattern is None or search.mask or row_record.is_sealed(raw) or search.pattern.may_match(raw):
                row = await encryption.open_row(block, search.group, row_record.decode(raw))
                await _add(second, search, place, await search.mask.of_row(row) if search.mask else row)
                if len(raw) > _LARGE_BYTES:
                    await asyncio.sleep(0)
        if not some:
            break
        if search.reverse:
            high = some[-1][0]
        else:
            low = some[-1][0] + b"\x00"
        await asyncio.sleep(0)
    if second.found:
        yield second.sorted()


class _Second:
    """What is found in one second: the first that are wanted, and some more."""

    def __init__(self, number: int | None, reverse: bool, most: int) -> None:
        self.number = -1 if number is None else number
        self.found: list[Found] = []
        self.is_last = False
        """Whether nothing has been looked for after it."""
        self._reverse = reverse
        self._most = most
        self._bytes = 0
        self._end: Position | None = None
        """The last that is kept, once there was more than a page."""

    def is_beyond(self, lowest: Position, highest: Position) -> bool:
        """Whether all between two positions come after more than a page."""
        if self._end is None:
            return False
        return highest < self._end if self._reverse else lowest > self._end

    def add(self, event: Found) -> None:
        self.found.append(event)
        self._bytes += len(event.message)
        if len(self.found) > 2 * self._most + _SPARE_EVENTS or self._bytes > 16 * MOST_BYTES:
            self._trim()

    def _trim(self) -> None:
        """Forget what comes after more than a page."""
        self.sorted()
        size = kept = 0
        while kept < len(self.found) and kept <= self._most and size <= MOST_BYTES:
            size += len(self.found[kept].message)
            kept += 1
        del self.found[kept + 1 :]
        self._end = self.found[-1].position
        self._bytes = sum(len(event.message) for event in self.found)

    def sorted(self) -> _Second:
        """Return it with its events in order."""
        self.found.sort(reverse=self._reverse)
        return self


async def _add(second: _Second, search: Search, place: events.Place, row: Row) -> None:
    """Add the events of a row that are wanted."""
    lowest = place.lowest
    highest = Position(row.timestamps[-1], place.stream, place.number, len(row.timestamps) - 1)
    if not search.may_want(lowest, highest) or second.is_beyond(lowest, highest):
        return
    for index in await matching(search.account, search.pattern, row.messages):
        position = Position(row.timestamps[index], place.stream, place.number, index)
        if search.wants(position):
            second.add(Found(position, row.ingested, row.messages[index]))
