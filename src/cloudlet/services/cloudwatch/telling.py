"""Tells EventBridge of alarms: what is written down with a change of one is put on the default bus of its region.

It is told at least once, in the order in which it happened; what EventBridge has not taken within a day is given up.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.block import Block
from cloudlet.core.ids import uuid4
from cloudlet.core.lease import Lease
from cloudlet.core.moments import notified
from cloudlet.services.cloudwatch.alarm import Alarm
from cloudlet.services.cloudwatch.alarm_events import Entry

log = logging.getLogger("cloudlet.cloudwatch")

_ROWS = Subspace("told")
_TOPIC = _ROWS.prefix
_AT_ONCE = 10
_PAUSE_SECONDS = 2.0
_GIVEN_UP_SECONDS = 86_400
_UNAVAILABLE, _NOT_BUILT = 500, 501
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, Any]).decode
_last = 0


class _Lane(NamedTuple):
    """Whose bus."""

    account: str
    region: str


Rows = list[tuple[bytes, Entry]]


def add(tx: Transaction, alarm: Alarm, entry: Entry) -> None:
    """Have EventBridge told of an alarm."""
    global _last
    _last = max(_last + 1, int(entry["Time"] * 1_000_000))
    tx.put(_ROWS.key(alarm.account, alarm.region, _last, uuid4()), _encode(entry))
    tx.notify(_TOPIC)


async def tell(block: Block, lease: Lease) -> None:
    """Tell what there is to be told, for ever. Where there is no EventBridge, it is forgotten."""
    async with notified(block, _TOPIC) as event:
        while True:
            event.clear()
            lanes = await block.store.transact(_lanes)
            if not lanes:
                await event.wait()
                continue
            await lease.hold()
            done = await asyncio.gather(*[_work_off(block, lane) for lane in lanes])
            if not all(done):
                await asyncio.sleep(_PAUSE_SECONDS)


async def _lanes(tx: Transaction) -> list[_Lane]:
    """Return some of the lanes in which something waits."""
    found: list[_Lane] = []
    begin = _ROWS.begin
    while len(found) < _AT_ONCE and (rows := await tx.range(begin, _ROWS.end, limit=1)):
        account, region, *_ = _ROWS.unpack(rows[0][0])
        found.append(_Lane(account, region))
        begin = _ROWS.sub(account, region).end
    return found


async def _work_off(block: Block, lane: _Lane) -> bool:
    """Tell the oldest of a lane; return whether EventBridge took it."""
    space = _ROWS.sub(*lane)
    found = await block.store.transact(lambda tx: tx.range(space.begin, space.end, limit=_AT_ONCE))
    rows = [(key, _decode(raw)) for key, raw in found]
    done = rows if not block.cloud.has("events") else await _put(block, lane, rows)

    async def settle(tx: Transaction) -> None:
        for key, _ in done:
            tx.delete(key)

    await block.store.transact(settle)
    return len(done) == len(rows)


async def _put(block: Block, lane: _Lane, rows: Rows) -> Rows:
    """Put events on the bus; return those that are done with: it took them, or never will."""
    entries = [entry for _, entry in rows]
    try:
        await block.call("events", "PutEvents", {"Entries": entries}, account=lane.account, region=lane.region)
    except AwsError as error:
        if (error.status or 0) >= _UNAVAILABLE and error.status != _NOT_BUILT:
            oldest = block.clock.now() - _GIVEN_UP_SECONDS
            return [(key, entry) for key, entry in rows if entry["Time"] < oldest]
        if len(rows) > 1:
            # They may be too large together.
            return [row for one in rows for row in await _put(block, lane, [one])]
        log.warning("EventBridge does not take an event of %s: %s", entries[0]["Resources"][0], error)
    return rows
