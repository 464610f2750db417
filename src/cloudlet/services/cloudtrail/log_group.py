"""Delivery to CloudWatch Logs: an event of a log for each event of a trail.

User guide, "Monitoring CloudTrail Log Files with Amazon CloudWatch Logs". CloudTrail calls by the role of the trail.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from cloudlet.core import AwsError, Transaction
from cloudlet.core.authorization.permissions import NOTHING
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.aws import log_groups
from cloudlet.core.aws.arn import Arn
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudtrail import outbox, trail
from cloudlet.services.cloudtrail.outbox import Lane, Waiting
from cloudlet.services.cloudtrail.trail import Trail

_LARGEST_BYTES = 900_000
_OVERHEAD = 26
"""How many bytes an event of a log counts besides its text."""
_LONGEST_SPAN_SECONDS = 86_400
_PRINCIPAL = "cloudtrail.amazonaws.com"
_SESSION = "CLOUDTRAIL"


def stream_of(of: Trail, region: str) -> str:
    """Return the name of the log stream for the events of a region."""
    return f"{of.account}_CloudTrail_{region}"


def _caller(block: Block, of: Trail, group: Arn) -> log_groups.Call:
    """Return what calls CloudWatch Logs for a trail."""
    session = make_session(of.log_role, _SESSION, by=_PRINCIPAL)
    return partial(block.cloud.call, "logs", principal=session, account=group.account, region=group.region)


async def is_trusted(block: Block, of: Trail) -> bool:
    """Whether the role of a trail is there and trusts CloudTrail. In open mode every role does."""
    session = make_session(of.log_role, _SESSION, by=_PRINCIPAL)
    return not block.is_strict or await block.cloud.permissions.load(session) is not NOTHING


async def make_stream(block: Block, of: Trail, region: str) -> None:
    """Create the log stream for the events of a region, if it is not there. Raises AwsError."""
    group = Arn.parse(of.log_group)
    await log_groups.create_stream(_caller(block, of, group), log_groups.group_of(group), stream_of(of, region))


async def deliver(block: Block, lane: Lane) -> bool:
    """Deliver a batch of events, or drop it where the trail has no log group any more.

    Return whether there may be more of them to deliver now.
    """
    to = await block.store.transact(lambda tx: trail.find_by_arn(tx, lane.of))
    events = await block.store.transact(lambda tx: outbox.first(tx, "logs", lane))
    if to is None or not events:
        return False
    batch = _batch(events)
    now = block.clock.now()
    changes: dict[str, Any] = {"logs_delivered": now, "logs_error": ""}
    if to.log_group:
        try:
            await _put(block, to, lane.region, batch)
        except AwsError as error:
            batch = [each for each in batch if each.time < now - trail.GIVEN_UP_SECONDS]
            changes = {"logs_error": error.code}

    async def body(tx: Transaction) -> None:
        outbox.remove(tx, batch)
        await trail.note(tx, lane.of, **changes)

    await block.store.transact(body)
    return not changes["logs_error"] and (len(batch) < len(events) or len(events) == outbox.PAGE)


def _batch(events: list[Waiting]) -> list[Waiting]:
    """Return the first of some events, as many as go in one call."""
    size = 0
    for count, each in enumerate(events):
        size += len(each.text.encode()) + _OVERHEAD
        if count and (size > _LARGEST_BYTES or each.time - events[0].time >= _LONGEST_SPAN_SECONDS):
            return events[:count]
    return events


async def _put(block: Block, to: Trail, region: str, events: list[Waiting]) -> None:
    """Put events into their stream, which is made with the first of them. Raises AwsError."""
    group = Arn.parse(to.log_group)
    told = [{"timestamp": each.time * 1000, "message": each.text} for each in events]
    await log_groups.write(_caller(block, to, group), log_groups.group_of(group), stream_of(to, region), told)
