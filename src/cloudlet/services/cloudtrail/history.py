"""The history of events: kept for 90 days, by account and region, and so many of each at most.

User guide, "Viewing event history". Events are found by one attribute without reading others.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.keyed_queues import list_queues
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.cloudtrail import stretch
from cloudlet.services.cloudtrail.event import Attribute, Event
from cloudlet.store.tuple_keys import pack

KEPT_SECONDS = 90 * 86_400
MAX_EVENTS = 500_000
"""Of an account in a region; the oldest go."""
_PAGE_BYTES = 1 << 20
_AT_ONCE = 100
"""Events that are deleted or indexed in one transaction."""
_UNREADABLE = (ValueError, LookupError)
"""Of a record that is not as it should be: it is not found, and goes when its time has come."""
_TRIMMED_SECONDS = 600.0

_EVENTS = Subspace("event")
"""Account, region, time in seconds, id → the text of a record."""
_BY_TIME = Subspace("event-time")
"""Time in seconds, key of an event → nothing."""
_BY_ATTRIBUTE = Subspace("event-attribute")
"""Account, region, digest of an attribute, time in seconds, id → nothing."""
_COUNTS = Subspace("event-count")
"""Account, region → how many events there are."""
_ALL_ARE_INDEXED = Subspace("event-index").key("complete")
"""Is there once those from before there was an index are in it."""


_Place = tuple[Any, ...]
"""An account and a region."""


def _digest(attribute: Attribute) -> bytes:
    return blake2b("\0".join(attribute).encode(errors="replace"), digest_size=8).digest()


def _entries(event: Event) -> list[bytes]:
    """Return the keys by which an event is found."""
    space = _BY_ATTRIBUTE.sub(event.account, event.region)
    place = pack((event.time, event.id))
    return [space.key(_digest(attribute)) + place for attribute in event.attributes]


async def add(tx: Transaction, event: Event) -> bool:
    """Keep an event; return whether it is new."""
    key = _EVENTS.key(event.account, event.region, event.time, event.id)
    if await tx.get(key) is not None:
        return False
    tx.put(key, event.text.encode())
    tx.put(_BY_TIME.key(event.time, key), b"")
    _enter(tx, event)
    return True


def _enter(tx: Transaction, event: Event) -> None:
    """Count an event, and have it found by its attributes."""
    tx.add(_COUNTS.key(event.account, event.region), 1)
    for entry in _entries(event):
        tx.put(entry, b"")


async def _delete(tx: Transaction, key: bytes) -> None:
    """Delete an event, if it is there, and what leads to it."""
    text = await tx.get(key)
    if text is None:
        return
    account, region, time, _ = _EVENTS.unpack(key)
    tx.delete(key)
    tx.delete(_BY_TIME.key(time, key))
    tx.add(_COUNTS.key(account, region), -1)
    with suppress(*_UNREADABLE):
        for entry in _entries(Event(text.decode())):
            tx.delete(entry)


class Page(NamedTuple):
    """Some events, the newest first."""

    events: list[Event]
    last: bytes
    """The place of the last one."""
    is_last: bool


async def newest(
    tx: Transaction,
    account: str,
    region: str,
    begin: int,
    before: bytes,
    end: int,
    *,
    attribute: Attribute | None,
    limit: int,
) -> Page:
    """Return up to so many events with begin <= time <= end, all or those with an attribute, the newest first.

    `before` is the place of the last one of the page before, if there was one; of a token, it bounds what is seen only.
    """
    if attribute is None:
        space = _EVENTS.sub(account, region)
    else:
        space = _BY_ATTRIBUTE.sub(account, region, _digest(attribute))
    low, high = space.key(begin), space.key(end + 1)
    if before:
        high = max(low, min(high, before))
    if attribute is None:
        rows, is_last = await stretch.read(tx, low, high, limit=limit, most_bytes=_PAGE_BYTES, reverse=True)
        return Page([Event(text.decode()) for _, text in rows], rows[-1][0] if rows else before, is_last)
    found: list[Event] = []
    size, last = 0, before
    rows = await tx.range(low, high, limit=limit, reverse=True)
    for last, _ in rows:
        text = await tx.get(_EVENTS.key(account, region, *space.unpack(last)))
        event = None if text is None else Event(text.decode())
        # Two attributes may have the same digest.
        if event is not None and attribute in event.attributes:
            found.append(event)
            size += len(event.text)
        if size >= _PAGE_BYTES:
            return Page(found, last, is_last=False)
    return Page(found, last, is_last=len(rows) < limit)


async def forget(block: Block) -> None:
    """Delete events that are too old, now and then, until the block ends."""

    async def delete(tx: Transaction, key: bytes) -> None:
        await _delete(tx, _BY_TIME.unpack(key)[1])

    await delete_expired(block, _BY_TIME, KEPT_SECONDS, delete, at_once=_AT_ONCE)


async def trim(block: Block, most: int = MAX_EVENTS) -> None:
    """Delete the oldest events of accounts that have too many, now and then, until the block ends."""
    while True:
        after: _Place | None = None
        while places := await block.store.transact(partial(_places, after)):
            for after in places:
                while await block.store.transact(partial(_trim, after, most)):
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
        await back_off(block, _TRIMMED_SECONDS)


async def _places(after: _Place | None, tx: Transaction) -> list[_Place]:
    """Return the next accounts and regions that have events."""
    return await list_queues(tx, _EVENTS, 2, after, _AT_ONCE)


async def _trim(place: _Place, most: int, tx: Transaction) -> bool:
    """Delete some of the oldest events of an account in a region; return whether there may be more to do."""
    space = _EVENTS.sub(*place)
    too_many = await tx.counter(_COUNTS.key(*place)) - most
    rows = await tx.range(space.begin, space.end, limit=min(too_many, _AT_ONCE)) if too_many > 0 else []
    for key, _ in rows:
        await _delete(tx, key)
    return bool(rows)


async def index(block: Block) -> None:
    """Enter the events from before there was an index into it, once."""
    place: bytes | None = _EVENTS.begin
    while place is not None:
        place = await block.store.transact(partial(_enter_some, place))
        await asyncio.sleep(0)


async def _enter_some(place: bytes, tx: Transaction) -> bytes | None:
    """Enter some events that follow a place; return the place of the next ones, None where there are none."""
    if await tx.get(_ALL_ARE_INDEXED) is not None:
        return None
    rows, is_last = await stretch.read(tx, place, _EVENTS.end, limit=_AT_ONCE, most_bytes=_PAGE_BYTES)
    for _, text in rows:
        with suppress(*_UNREADABLE):
            event = Event(text.decode())
            if await tx.get(_entries(event)[0]) is None:
                _enter(tx, event)
    if is_last:
        tx.put(_ALL_ARE_INDEXED, b"")
        return None
    return rows[-1][0] + b"\0"
