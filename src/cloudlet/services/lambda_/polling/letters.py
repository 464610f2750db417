"""What is sent to a mapping's destination about records that are given up: where they are, not what they are.

Developer guide, "Retain discarded batch records for a DynamoDB event source in Lambda".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import Arn, AwsError
from cloudlet.core.block import Block
from cloudlet.core.ids import uuid4
from cloudlet.core.retrying import is_transient
from cloudlet.services.lambda_.mapping import Mapping
from cloudlet.services.lambda_.polling.calling import Answer, call
from cloudlet.services.lambda_.polling.record import Record


class Condition(NamedTuple):
    """Why records are given up."""

    name: str
    attempts: int
    """How often the function was invoked with them."""
    answer: Answer | None
    """What it made of them at last."""


async def send(block: Block, mapping: Mapping, shard: str, batch: list[Record], condition: Condition) -> None:
    """Send a message about some records of a shard. Raises AwsError."""
    arn = Arn.parse(mapping.on_failure)
    text = msgspec.json.encode(_document(block, mapping, shard, batch, condition)).decode()
    if arn.service == "sqs":
        named = {"QueueName": arn.resource, "QueueOwnerAWSAccountId": arn.account}
        url = (await call(block, mapping, "sqs", "GetQueueUrl", named, region=arn.region))["QueueUrl"]
        sent = {"QueueUrl": url, "MessageBody": text}
        await call(block, mapping, "sqs", "SendMessage", sent, region=arn.region)
    else:
        published = {"TopicArn": mapping.on_failure, "Message": text}
        await call(block, mapping, "sns", "Publish", published, region=arn.region)


def may_pass(error: AwsError) -> bool:
    """Whether it makes sense to try again after an error."""
    return is_transient(error.code, error.status)


def _document(block: Block, mapping: Mapping, shard: str, batch: list[Record], condition: Condition) -> dict[str, Any]:
    answer = condition.answer
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": uuid4() if answer is None else answer.request_id,
            "functionArn": mapping.target.arn,
            "condition": condition.name,
            "approximateInvokeCount": condition.attempts,
        },
        "version": "1.0",
        "timestamp": _moment(block.clock.now()),
        "DDBStreamBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": batch[0].id,
            "endSequenceNumber": batch[-1].id,
            "approximateArrivalOfFirstRecord": _moment(batch[0].at),
            "approximateArrivalOfLastRecord": _moment(batch[-1].at),
            "batchSize": len(batch),
            "streamArn": mapping.source,
        },
    }
    if answer is not None:
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": answer.version,
            **({"functionError": "Unhandled"} if answer.error else {}),
        }
    return document


def _moment(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{int(seconds * 1000) % 1000:03d}Z"
