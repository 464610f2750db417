"""What is sent to a dead-letter queue or topic about records that are given up: where they are, not what they are.

User guide, "Understanding EventBridge Pipes error handling and troubleshooting".
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Arn, AwsError
from cloudlet.core.block import Block
from cloudlet.core.retrying import is_transient
from cloudlet.services.pipes import transforming
from cloudlet.services.pipes.calling import call, url_of
from cloudlet.services.pipes.event import Event
from cloudlet.services.pipes.pipe import Pipe


async def send(block: Block, pipe: Pipe, target: str, shard: str, events: list[Event], condition: str) -> None:
    """Send a message about some records of a shard. Raises AwsError."""
    arn = Arn.parse(target)
    text = msgspec.json.encode(
        {
            "context": {"partnerResourceArn": pipe.arn, "condition": condition},
            "version": "1.0",
            "timestamp": transforming.timestamp(block.clock.now()),
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": events[0].handle,
                "endSequenceNumber": events[-1].handle,
                "approximateArrivalOfFirstRecord": transforming.timestamp(events[0].at),
                "approximateArrivalOfLastRecord": transforming.timestamp(events[-1].at),
                "batchSize": len(events),
                "streamArn": pipe.source,
            },
        }
    ).decode()
    if arn.service == "sqs":
        await call(block, pipe, arn, "SendMessage", {"QueueUrl": url_of(block, arn), "MessageBody": text})
    else:
        await call(block, pipe, arn, "Publish", {"TopicArn": target, "Message": text})


def may_pass(error: AwsError) -> bool:
    """Whether it makes sense to try again after an error."""
    return is_transient(error.code, error.status)
