"""The job that delivers events to the buckets of trails, and digests of what was delivered.

Files are delivered each five minutes (user guide, "How CloudTrail works"). A file that was put just before a crash is
delivered again, under another name: the ids of events tell what is there twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws import service_events
from cloudlet.core.aws.arn import Arn
from cloudlet.core.background import jobs
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import wait_until, watching
from cloudlet.services.cloudtrail import digests, files, log_group, outbox, trail
from cloudlet.services.cloudtrail.lake import running
from cloudlet.services.cloudtrail.outbox import Channel, Lane, Waiting
from cloudlet.services.cloudtrail.trail import Trail

_PERIOD_SECONDS = 300
_LARGEST_BYTES = 4 << 20
"""Of the records of a file, before they are compressed."""

Deliver = Callable[[Block, Lane], Awaitable[bool]]
"""Delivers some events of a lane, and returns whether there may be more to deliver at once."""


class _File(NamedTuple):
    """A file that was put."""

    key: str
    content: bytes
    events: list[Waiting]


async def deliver(block: Block) -> None:
    """Deliver what waits, and execute queries, until the block ends."""
    await jobs.run_leased_jobs(
        block, deliver=_deliver_now_and_then, tell_of_events=service_events.tell, run_queries=running.run
    )


async def _deliver_now_and_then(block: Block, lease: Lease) -> None:
    due = _next_period(block.clock.now())
    works = KeyedTasks(block)
    async with watching(block, trail.TOPIC) as changed:
        while True:
            changed.clear()
            async with lease.during():
                if block.clock.now() >= due:
                    await _deliver_all(block, lease, works, "s3", _deliver_file)
                    await _deliver_all(block, lease, works, "logs", log_group.deliver)
                    due = _next_period(block.clock.now())
                digest_due = await digests.deliver_due(block, lease, works)
            await wait_until(block, changed, min(due, digest_due))


def _next_period(now: float) -> float:
    return (now // _PERIOD_SECONDS + 1) * _PERIOD_SECONDS


async def _deliver_all(block: Block, lease: Lease, works: KeyedTasks, channel: Channel, deliver_some: Deliver) -> None:
    """Deliver what waits in all lanes, some of each at a time: nobody waits for all that another has."""

    async def has_more(lane: Lane) -> bool:
        await lease.hold()
        work = partial(deliver_some, block, lane)
        return bool(await works.attempt((channel, lane), f"delivery to {channel} for {lane}", work))

    lane: Lane | None = None
    going_on: list[Lane] = []
    while (lane := await block.store.transact(partial(outbox.lane_after, channel=channel, lane=lane))) is not None:
        if await has_more(lane):
            going_on.append(lane)
    while going_on:
        going_on = [lane for lane in going_on if await has_more(lane)]


async def _deliver_file(block: Block, lane: Lane) -> bool:
    """Deliver one file of a lane; return whether it was full: what comes meanwhile waits for the next time."""
    to = await block.store.transact(lambda tx: trail.find_by_arn(tx, lane.of))
    events = await _gather(block, lane)
    if to is None or not events:
        return False
    now = block.clock.now()
    key = files.log_key(to, lane.region, now)
    content = b'{"Records":[' + ",".join(each.text for each in events).encode() + b"]}"
    try:
        await files.put(block, to, key, content)
    except AwsError as error:
        await _failed(block, lane, events, error.code)
        return False
    await _delivered(block, to, lane, _File(key, content, events))
    if to.topic_arn:
        await _tell(block, to, key)
    return len(content) >= _LARGEST_BYTES


async def _gather(block: Block, lane: Lane) -> list[Waiting]:
    """Return the oldest events of a lane, as many as a file may have."""
    found: list[Waiting] = []
    size = 0
    while size < _LARGEST_BYTES:
        after = found[-1].key if found else None
        page = await block.store.transact(lambda tx, after=after: outbox.first(tx, "s3", lane, after))  # type: ignore[misc]
        found += page
        size += sum(len(each.text) for each in page)
        if len(page) < outbox.PAGE:
            break
    return found


async def _delivered(block: Block, to: Trail, lane: Lane, file: _File) -> None:
    now = block.clock.now()
    times = [each.time for each in file.events]
    made = digests.Delivered(to.bucket, hashlib.sha256(file.content).hexdigest(), min(times), max(times))

    async def body(tx: Transaction) -> None:
        outbox.remove(tx, file.events)
        is_there = await trail.find_by_arn(tx, lane.of)
        if is_there is not None and is_there.validated:
            await digests.add(tx, lane, now, file.key, made)
        await trail.note(tx, lane.of, delivered=now, attempted=now, error="")

    await block.store.transact(body)


async def _failed(block: Block, lane: Lane, events: list[Waiting], code: str) -> None:
    now = block.clock.now()
    given_up = [each for each in events if each.time < now - trail.GIVEN_UP_SECONDS]

    async def body(tx: Transaction) -> None:
        outbox.remove(tx, given_up)
        await trail.note(tx, lane.of, attempted=now, error=code)

    await block.store.transact(body)


async def _tell(block: Block, to: Trail, key: str) -> None:
    """Notify the trail's topic of a file."""
    now = block.clock.now()
    message = msgspec.json.encode({"s3Bucket": to.bucket, "s3ObjectKey": [key]}).decode()
    try:
        await publish(block, to, message)
        changes = {"notified": now, "notice_attempted": now, "notice_error": ""}
    except AwsError as error:
        changes = {"notice_attempted": now, "notice_error": error.code}
    await block.store.transact(lambda tx: trail.note(tx, to.arn, **changes))


async def publish(block: Block, to: Trail, message: str) -> None:
    """Publish a message to a trail's topic. Raises AwsError."""
    params = {"TopicArn": to.topic_arn, "Message": message}
    region = Arn.parse(to.topic_arn).region
    await block.call("sns", "Publish", params, account=to.account, region=region, source_arn=to.arn)
