"""The events of event data stores: how they are kept, read, and deleted when they are too old.

A store keeps an event for its retention period from the event's own time on, by the cloud's clock.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import KeyedTasks, transact_each
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.cloudtrail import stretch
from cloudlet.services.cloudtrail.event import Event
from cloudlet.services.cloudtrail.lake import stores
from cloudlet.services.cloudtrail.lake.stores import EventDataStore
from cloudlet.services.cloudtrail.lake.time_range import TimeRange

PAGE = 2000
_PAGE_BYTES = 4 << 20
_SWEEP_SECONDS = 3600.0
_SWEPT_STORES = 50
DAY_SECONDS = 86_400

_EVENTS = Subspace("eds-event")
"""Id of a store, time in seconds, event id → the text of a record."""


class Page(NamedTuple):
    """Some events of a store, the oldest first."""

    texts: list[str]
    last: bytes
    """The place of the last one; nothing where there are no more."""


def add(tx: Transaction, store: EventDataStore, event: Event) -> None:
    """Keep an event in a store."""
    tx.put(_EVENTS.key(store.id, event.time, event.id), event.in_file.encode())


async def after(tx: Transaction, store: EventDataStore, times: TimeRange, place: bytes, now: float) -> Page:
    """Return a page of the events of a store in a range of time, after a place, or from the beginning.

    Those that are too old are not there any more, deleted or not.
    """
    begin = max(_oldest(store, now), times.begin or 0)
    first = max(_EVENTS.key(store.id, begin), place + b"\0" if place else b"")
    last = _EVENTS.sub(store.id).end if times.end is None else _EVENTS.key(store.id, max(times.end, 0) + 1)
    rows, is_last = await stretch.read(tx, first, max(first, last), limit=PAGE, most_bytes=_PAGE_BYTES)
    return Page([text.decode() for _, text in rows], b"" if is_last else rows[-1][0])


def _oldest(store: EventDataStore, now: float) -> int:
    return int(now) - store.days * DAY_SECONDS


async def forget(block: Block) -> None:
    """Delete events that are too old, and stores that were deleted long enough ago, until the block ends."""
    works = KeyedTasks(block)
    while True:
        place = b""
        while keys := await block.store.transact(lambda tx, place=place: stores.keys(tx, place, _SWEPT_STORES)):  # type: ignore[misc]
            await works.run_batch(keys, "the event data store", partial(transact_each, block, partial(_sweep, block)))
            place = keys[-1]
            await asyncio.sleep(0)
        await back_off(block, _SWEEP_SECONDS)


async def _sweep(block: Block, tx: Transaction, key: bytes) -> None:
    """Delete what is too old in a store, or the store."""
    store = await stores.at(tx, key)
    if store is None:
        return
    now = block.clock.now()
    space = _EVENTS.sub(store.id)
    if store.is_gone(now):
        tx.delete_range(space.begin, space.end)
        stores.remove(tx, store)
    else:
        tx.delete_range(space.begin, _EVENTS.key(store.id, _oldest(store, now)))
