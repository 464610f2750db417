"""Tells destinations of events: works off the lanes of the outbox, and tries again what fails.

A destination that is slow or gone holds up nobody but itself. What it cannot be told within a day is given up. The
trace header of the request behind an event goes on to queues, topics and functions (X-Ray developer guide, "Amazon S3
and AWS X-Ray").
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from cloudlet.core import Arn, AwsError, Params, Transaction
from cloudlet.core.aws.messages import queue_url
from cloudlet.core.background import keyed_queues
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import DeliveryError, compute_back_off, of_batch, of_events
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.s3.notifications import notices
from cloudlet.services.s3.notifications.notices import Lane, Notice

log = logging.getLogger("cloudlet.s3")

_BATCH = 10
_LONGEST_PAUSE_SECONDS = 60.0
_GIVEN_UP_SECONDS = 86_400.0
SUBJECT = "Amazon S3 Notification"
_Outcomes = Sequence[DeliveryError | None]


async def notify(block: Block, lease: Lease) -> None:
    """Tell what is in the outbox, until the block ends."""
    await keyed_queues.drain(block, notices.TOPIC, notices.lanes, lambda lane: _work_off(block, lease, lane))


async def _work_off(block: Block, lease: Lease, lane: Lane) -> None:
    """Tell a destination all that waits in its lane."""
    failed_before = 0
    while True:
        await lease.hold()
        found = await block.store.transact(lambda tx: notices.first(tx, lane, _BATCH))
        if not found:
            return
        failures = await _tell(block, lane, [notice for _, notice in found])
        done = [
            key for (key, notice), failed in zip(found, failures, strict=True) if _is_over(block, lane, notice, failed)
        ]

        async def settle(tx: Transaction, done: list[bytes] = done) -> None:
            for key in done:
                notices.remove(tx, key)

        await block.store.transact(settle)
        if len(done) == len(found):
            failed_before = 0
        else:
            failed_before += 1
            await back_off(block, compute_back_off(failed_before, longest=_LONGEST_PAUSE_SECONDS))


def _is_over(block: Block, lane: Lane, notice: Notice, failed: DeliveryError | None) -> bool:
    """Whether nothing more is to be done for a notice."""
    if failed is None:
        return True
    if not failed.permanent and block.clock.now() - notice.noted < _GIVEN_UP_SECONDS:
        return False
    log.warning("%s could not be told of an event in %s: %s", lane.arn or "EventBridge", lane.source, failed)
    return True


async def _tell(block: Block, lane: Lane, told: list[Notice]) -> _Outcomes:
    """Tell a destination several notices; return what became of each."""
    match lane.channel:
        case "sqs":
            entries = [_message(number, notice) for number, notice in enumerate(told)]
            params = {"QueueUrl": queue_url(block, Arn.parse(lane.arn)), "Entries": entries}
            return await _batch(block, lane, "SendMessageBatch", params, told)
        case "sns":
            by_trace = [list(same) for _, same in groupby(told, lambda notice: notice.trace)]
            return [failed for notices in by_trace for failed in await _publish(block, lane, notices)]
        case "lambda":
            return [await _invoke(block, lane, notice) for notice in told]
        case "events":
            return await _put_events(block, lane, told)


def _message(number: int, notice: Notice) -> Params:
    """Return an entry of SendMessageBatch."""
    message: Params = {"Id": str(number), "MessageBody": notice.body}
    if notice.trace is not None:
        message["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": notice.trace}}
    return message


async def _publish(block: Block, lane: Lane, told: list[Notice]) -> _Outcomes:
    """Publish notices whose trace is the same: it goes with the request."""
    posts = [{"Id": str(number), "Message": notice.body, "Subject": SUBJECT} for number, notice in enumerate(told)]
    params = {"TopicArn": lane.arn, "PublishBatchRequestEntries": posts}
    return await _batch(block, lane, "PublishBatch", params, told, told[0].trace)


async def _batch(
    block: Block, lane: Lane, operation: str, params: Params, told: list[Notice], trace: str | None = None
) -> _Outcomes:
    try:
        result = await call(block, lane, operation, params, trace)
    except AwsError as error:
        return [DeliveryError.of(error)] * len(told)
    return of_batch(result, len(told))


async def _invoke(block: Block, lane: Lane, notice: Notice) -> DeliveryError | None:
    params = {"FunctionName": lane.arn, "InvocationType": "Event", "Payload": notice.body.encode()}
    try:
        await call(block, lane, "Invoke", params, notice.trace)
    except AwsError as error:
        return DeliveryError.of(error)
    return None


async def _put_events(block: Block, lane: Lane, told: list[Notice]) -> _Outcomes:
    entries = [json.loads(notice.body) for notice in told]
    try:
        result = await call(block, lane, "PutEvents", {"Entries": entries})
    except AwsError as error:
        return [DeliveryError.of(error)] * len(told)
    return of_events(result)


async def call(block: Block, lane: Lane, operation: str, params: Params, trace: str | None = None) -> Mapping[str, Any]:
    """Call the service behind a lane, on behalf of its bucket. Raises AwsError."""
    result = await block.call(
        lane.channel,
        operation,
        params,
        account=lane.account,
        region=lane.region,
        source_arn=lane.source,
        trace=trace,
    )
    return result or {}
