"""Events of services: what is noted with a change is put on the default bus of its account and region.

It is told at least once, in the order in which it happened; what EventBridge has not taken within a day is given up.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.background import keyed_queues
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import DeliveryError, of_events
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4

log = logging.getLogger("cloudlet.core")

Entry = dict[str, Any]
"""An event as PutEvents takes it, with its time in seconds since the epoch."""

_ROWS = Subspace("told")
_TOPIC = _ROWS.prefix
_READ = 100
_AT_ONCE = 10
_PAUSE_SECONDS = 2.0
_GIVEN_UP_SECONDS = 86_400
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode
_last = 0


class _Lane(NamedTuple):
    """Whose bus."""

    account: str
    region: str


_Rows = list[tuple[bytes, Entry]]


def add(tx: Transaction, account: str, region: str, entry: Entry) -> None:
    """Have EventBridge told of something."""
    global _last
    _last = max(_last + 1, int(entry["Time"] * 1_000_000))
    tx.put(_ROWS.key(account, region, _last, uuid4()), _encode(entry))
    tx.notify(_TOPIC)


async def tell(block: Block, lease: Lease) -> None:
    """Tell what there is to be told, for ever. Where there is no EventBridge, it is forgotten."""
    await keyed_queues.drain(block, _TOPIC, _lanes, lambda lane: _work_off(block, lease, lane))


async def _lanes(tx: Transaction, after: _Lane | None, count: int) -> list[_Lane]:
    """Return some of the lanes in which something waits, those that follow another one."""
    return [_Lane(*each) for each in await keyed_queues.list_queues(tx, _ROWS, 2, after, count)]


async def _work_off(block: Block, lease: Lease, lane: _Lane) -> None:
    """Tell the oldest of a lane; wait a little where EventBridge does not take it."""
    await lease.hold()
    space = _ROWS.sub(*lane)
    found = await block.store.transact(lambda tx: tx.range(space.begin, space.end, limit=_READ))
    done = await _put_all(block, lane, found) if block.cloud.has("events") else [key for key, _ in found]

    async def settle(tx: Transaction) -> None:
        for key in done:
            tx.delete(key)

    await block.store.transact(settle)
    if len(done) < len(found):
        await asyncio.sleep(_PAUSE_SECONDS)


async def _put_all(block: Block, lane: _Lane, found: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Put events on the bus, up to the first that it cannot take now; return the keys of those that are done with."""
    done: list[bytes] = []
    for start in range(0, len(found), _AT_ONCE):
        rows = [(key, _decode(raw)) for key, raw in found[start : start + _AT_ONCE]]
        done += await _put(block, lane, rows)
        if len(done) < start + len(rows):
            break
    return done


async def _put(block: Block, lane: _Lane, rows: _Rows) -> list[bytes]:
    """Put events on the bus; return the keys of those that are done with: it took them, or never will."""
    entries = [entry for _, entry in rows]
    outcomes: list[DeliveryError | None]
    try:
        result = await block.call("events", "PutEvents", {"Entries": entries}, account=lane.account, region=lane.region)
        outcomes = of_events(result or {"Entries": ()})
    except AwsError as error:
        failed = DeliveryError.of(error)
        if failed.permanent and len(rows) > 1:
            # They may be too large together.
            return [key for row in rows for key in await _put(block, lane, [row])]
        outcomes = [failed] * len(rows)
    oldest = block.clock.now() - _GIVEN_UP_SECONDS
    return [
        key
        for (key, entry), failed in zip(rows, outcomes, strict=True)
        if failed is None or _is_given_up(lane, entry, failed, oldest)
    ]


def _is_given_up(lane: _Lane, entry: Entry, failed: DeliveryError, oldest: float) -> bool:
    """Whether an event is not put again after an attempt that failed."""
    if not failed.permanent and entry["Time"] >= oldest:
        return False
    log.warning("the default bus of %s does not get an event of %s: %s", lane.account, entry["Source"], failed)
    return True
