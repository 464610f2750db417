"""Delivery to EventBridge: what changes something, and is logged by a trail, goes to the default bus of its region.

EventBridge user guide, "AWS service events delivered via AWS CloudTrail": reads are not sent.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.core.moments import notified
from cloudlet.services.cloudtrail import outbox
from cloudlet.services.cloudtrail.outbox import Lane, Waiting

log = logging.getLogger("cloudlet.cloudtrail")

_KIND = "AWS API Call via CloudTrail"
_MOST_ENTRIES = 10
_LARGEST_BYTES = 250_000
"""Of what is put at once; a larger event is not sent, as EventBridge would not take it."""
_PAUSE_SECONDS = 2.0
_GIVEN_UP_SECONDS = 86_400


async def tell(block: Block, lease: Lease) -> None:
    """Send what waits for EventBridge, as it comes, until the block ends."""
    async with notified(block, outbox.TOLD) as changed:
        while True:
            changed.clear()
            lane = await block.store.transact(lambda tx: outbox.lane_after(tx, "events", None))
            if lane is None:
                await changed.wait()
                continue
            await lease.hold()
            while lane is not None:
                if not await _send(block, lane):
                    await asyncio.sleep(_PAUSE_SECONDS)
                lane = await _after(block, lane)


async def _after(block: Block, lane: Lane) -> Lane | None:
    return await block.store.transact(lambda tx: outbox.lane_after(tx, "events", lane))


async def _send(block: Block, lane: Lane) -> bool:
    """Send the oldest events of a lane; return whether EventBridge took them."""
    waiting = await block.store.transact(lambda tx: outbox.first(tx, "events", lane))
    for batch in _batches(waiting):
        entries = [_entry(each) for each in batch if len(each.text.encode()) < _LARGEST_BYTES]
        done = batch
        try:
            if entries:
                await _put(block, lane, entries)
        except AwsError as error:
            log.warning("EventBridge does not take the events of %s: %s", lane.of, error)
            oldest = block.clock.now() - _GIVEN_UP_SECONDS
            done = [each for each in batch if each.time < oldest]
        await block.store.transact(lambda tx, done=done: _remove(tx, done))  # type: ignore[misc]
        if len(done) < len(batch):
            return False
    return True


async def _put(block: Block, lane: Lane, entries: list[dict[str, Any]]) -> None:
    """Put events on the default bus. What the bus itself refuses is not sent again. Raises AwsError."""
    answer = await block.call("events", "PutEvents", {"Entries": entries}, account=lane.of, region=lane.region)
    refused = [each for each in (answer or {})["Entries"] if each.get("ErrorCode")]
    if refused:
        log.warning("the default bus of %s refused %d events: %s", lane.of, len(refused), refused[0]["ErrorMessage"])


async def _remove(tx: Transaction, events: list[Waiting]) -> None:
    outbox.remove(tx, events)


def _batches(events: list[Waiting]) -> list[list[Waiting]]:
    """Return events in pieces that can be put at once."""
    batches: list[list[Waiting]] = []
    size = 0
    for each in events:
        length = len(each.text.encode())
        if not batches or len(batches[-1]) == _MOST_ENTRIES or size + length > _LARGEST_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(each)
        size += length
    return batches


def _entry(event: Waiting) -> dict[str, Any]:
    source = msgspec.json.decode(event.text)["eventSource"].partition(".")[0]
    return {"Time": event.time, "Source": f"aws.{source}", "DetailType": _KIND, "Detail": event.text}
