"""The history of events: kept for 90 days, by account and region.

User guide, "Viewing event history".
"""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.core.block import Block
from cloudlet.core.sweeping import sweep
from cloudlet.services.cloudtrail import stretch
from cloudlet.services.cloudtrail.event import Event

KEPT_SECONDS = 90 * 86_400
_PAGE = 500
_PAGE_BYTES = 1 << 20
_FORGOTTEN = 500
"""Events that are deleted in one transaction."""

_EVENTS = Subspace("event")
"""Account, region, time in seconds, id → the text of a record."""
_BY_TIME = Subspace("event-time")
"""Time in seconds, key of an event → nothing."""


async def add(tx: Transaction, event: Event) -> bool:
    """Keep an event; return whether it is new."""
    key = _EVENTS.key(event.account, event.region, event.time, event.id)
    if await tx.get(key) is not None:
        return False
    tx.put(key, event.text.encode())
    tx.put(_BY_TIME.key(event.time, key), b"")
    return True


class Page(NamedTuple):
    """Some events, the newest first, by their keys; None for what is not looked for."""

    events: list[tuple[bytes, Event | None]]
    is_last: bool


async def newest(
    tx: Transaction, account: str, region: str, begin: int, before: bytes, end: int, having: bytes
) -> Page:
    """Return a page of events with begin <= time <= end, the newest first.

    In place of those whose text does not have `having` there is None. `before` is the key of the last one of the page
    before, if there was one; of a token, it bounds what is seen only.
    """
    space = _EVENTS.sub(account, region)
    low, high = space.key(begin), space.key(end + 1)
    if before:
        high = max(low, min(high, before))
    rows, is_last = await stretch.read(tx, low, high, limit=_PAGE, most_bytes=_PAGE_BYTES, reverse=True)
    return Page([(key, Event(value.decode()) if having in value else None) for key, value in rows], is_last)


async def forget(block: Block) -> None:
    """Delete events that are too old, now and then, until the block ends."""

    async def delete(tx: Transaction, key: bytes) -> None:
        tx.delete(_BY_TIME.unpack(key)[1])

    await sweep(block, _BY_TIME, KEPT_SECONDS, delete, at_once=_FORGOTTEN)
