"""Archives: events of a bus that are kept, by when they happened. User guide, "Archiving and replaying events"."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.event_pattern import Pattern
from cloudlet.core.aws.records import Records
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.events import errors, pattern, rule
from cloudlet.services.events.bus_record import Place

ARCHIVES = 100
"""Of an account in a region, at most."""
TOPIC = b"archives"
_BY_BUS = Subspace("archive-of-bus")
_EVENTS = Subspace("archived")
_EXPIRING = Subspace("expiring")
_COUNTS = Subspace("archive-count")
_DAY_MILLIS = 86_400_000
_AT_ONCE = 200
_READ = 5
_MOST_BYTES = 1 << 20
"""Once they take so much, no more events are read in a transaction."""


class Archive(msgspec.Struct, frozen=True):
    """An archive. `created` is in seconds since the epoch."""

    account: str
    region: str
    name: str
    bus: str
    id: str
    """Of what is kept in it; no other archive has or had it."""
    created: float
    pattern: str = ""
    description: str = ""
    days: int = 0
    """How long events are kept; 0 for ever."""

    @property
    def arn(self) -> str:
        return str(Arn(partition_of(self.region), "events", self.region, self.account, f"archive/{self.name}"))

    @property
    def place(self) -> Place:
        return Place(self.account, self.region, self.bus)


class ArchivedEvent(NamedTuple):
    """An event of an archive, and when (ms) it happened."""

    time: int
    key: bytes
    event: str


_patterns: Final[SizedCache[str, Pattern]] = SizedCache(1 << 19)
"""Compiled, by their texts; one takes up to 90 bytes for each of its characters."""
_archives = Records(Subspace("archive"), Archive, lambda name: errors.not_found(f"Archive {name} does not exist."))
decode, of_account, find, get = _archives.decode, _archives.get_space, _archives.find, _archives.get


def save(tx: Transaction, archive: Archive) -> None:
    """Write an archive."""
    _archives.save(tx, archive)
    tx.put(_BY_BUS.key(*archive.place, archive.name), b"")
    rule.touch(tx, archive.place)


def remove(tx: Transaction, archive: Archive) -> None:
    """Delete an archive and what is kept in it."""
    _archives.remove(tx, archive)
    leave(tx, archive.place, archive.name)
    for space in (_EVENTS.sub(archive.id), _COUNTS.sub(archive.id)):
        tx.delete_range(space.begin, space.end)


def leave(tx: Transaction, place: Place, name: str) -> None:
    """Let an archive of a bus keep no more events."""
    tx.delete(_BY_BUS.key(*place, name))
    rule.touch(tx, place)


async def of_bus(tx: Transaction, place: Place) -> list[Archive]:
    """Return the archives of a bus."""
    space = _BY_BUS.sub(*place)
    rows = await tx.range(space.begin, space.end, limit=ARCHIVES)
    return [await get(tx, place.account, place.region, space.unpack(key)[0]) for key, _ in rows]


def keep(tx: Transaction, archive: Archive, event: str, time: float, now: float) -> None:
    """Put an event that happened at `time` into an archive at `now`, both in seconds since the epoch."""
    key = _EVENTS.key(archive.id, int(time * 1000), uuid4())
    tx.put(key, event.encode())
    tx.add(_COUNTS.key(archive.id, "events"), 1)
    tx.add(_COUNTS.key(archive.id, "bytes"), len(event.encode()))
    if archive.days:
        tx.put(_EXPIRING.key(int(now * 1000) + archive.days * _DAY_MILLIS, archive.id, key), b"")
        tx.notify(TOPIC)


def has(archive: Archive, key: bytes) -> bool:
    """Whether a key is one of an event of an archive, which may be gone by now."""
    space = _EVENTS.sub(archive.id)
    return space.begin <= key < space.end


def admits(archive: Archive, document: dict[str, object]) -> bool:
    """Whether an event goes into an archive. What was replayed goes into none, on whatever bus it comes."""
    if "replay-name" in document:
        return False
    text = archive.pattern
    return not text or _patterns.get_or_add(text, pattern.compile, len(text)).matches(document)


async def counts(tx: Transaction, archive: Archive) -> tuple[int, int]:
    """Return how many events are kept in an archive, and their bytes."""
    return (
        await tx.counter(_COUNTS.key(archive.id, "events")),
        await tx.counter(_COUNTS.key(archive.id, "bytes")),
    )


async def between(
    tx: Transaction, archive: Archive, after: bytes, start: float, end: float, count: int
) -> list[ArchivedEvent]:
    """Return events that happened from `start` until before `end` (s), in that order, those that follow a key.

    There are up to `count` of them, and no more than may be in memory at once.
    """
    space = _EVENTS.sub(archive.id)
    begin = after + b"\x00" if after else space.key(int(start * 1000))
    found: list[ArchivedEvent] = []
    size = 0
    while len(found) < count and size < _MOST_BYTES:
        rows = await tx.range(begin, space.key(int(end * 1000)), limit=min(_READ, count - len(found)))
        if not rows:
            break
        found += [ArchivedEvent(space.unpack(key)[0], key, raw.decode()) for key, raw in rows]
        size += sum(len(raw) for _, raw in rows)
        begin = rows[-1][0] + b"\x00"
    return found


async def expire(block: Block) -> None:
    """Drop events whose time in their archives is over, until the block ends."""
    await run_timers(block, TOPIC, _EXPIRING, "dropping the event", _drop, at_once=_AT_ONCE)


async def _drop(tx: Transaction, row: Row, now: float) -> None:
    """Drop an event that has expired."""
    _, id, key = row
    raw = await tx.get(key)
    if raw is not None:
        tx.delete(key)
        tx.add(_COUNTS.key(id, "events"), -1)
        tx.add(_COUNTS.key(id, "bytes"), -len(raw))
