"""Delivery to SQS queues: what SNS sends them, and sending it in batches.

Developer guide, "Fanout to Amazon SQS queues", "Raw message delivery", "Message attributes" and "Message delivery
retries".
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from cloudlet.core import Arn, AwsError
from cloudlet.core.background.retrying import DeliveryError, of_batch
from cloudlet.core.kernel.block import Block
from cloudlet.services.sns import notification, tracing
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.signing import Signature
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.undeliverable import Undeliverable

BATCH: Final = 10
Entry = dict[str, Any]
"""An entry of a SendMessageBatch, without its Id."""
Outcome = Undeliverable | None

_UNAVAILABLE: Final = 503


class Queue(NamedTuple):
    """A queue as an endpoint."""

    arn: str
    account: str
    region: str
    name: str
    fifo: bool
    raw: bool

    @classmethod
    def of(cls, arn: Arn, subscribed: Subscription | None = None) -> Queue:
        """Return the queue with an ARN, as a subscription (if any) wants to be served."""
        raw = subscribed is not None and subscribed.attributes.get("RawMessageDelivery") == "true"
        return cls(str(arn), arn.account, arn.region, arn.resource, arn.resource.endswith(".fifo"), raw)


class Unavailable(Exception):
    """SQS as a whole cannot be reached: nothing that goes there gets through until it can."""


def entry(
    queue: Queue,
    message: Message,
    subscribed: Subscription,
    endpoint: str,
    signature: Signature | None = None,
    *,
    alone: bool = False,
) -> Entry:
    """Return what is sent to the queue: the message as it is, with its attributes, or in SNS's envelope.

    The queue is the subscriber, or holds what a subscriber of another protocol could not be given. `alone`: it is the
    only one.
    """
    if queue.raw:
        made: Entry = {"MessageBody": message.body_for(subscribed.protocol)}
        if message.attributes:
            made["MessageAttributes"] = {
                name: {
                    "DataType": attribute.type,
                    ("BinaryValue" if isinstance(attribute.value, bytes) else "StringValue"): attribute.value,
                }
                for name, attribute in message.attributes.items()
            }
    else:
        made = {
            "MessageBody": notification.envelope(
                message,
                endpoint=endpoint,
                subscription_arn=subscribed.arn,
                signature=signature,
                protocol=subscribed.protocol,
                alone=alone,
            )
        }
    trace = tracing.header_of(message, subscribed)
    if trace is not None:
        made["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
    # To a standard queue, a FIFO topic's order means nothing.
    if message.group is not None and (queue.fifo or not message.topic.endswith(".fifo")):
        made["MessageGroupId"] = message.group
    if queue.fifo and message.deduplication is not None:
        made["MessageDeduplicationId"] = message.deduplication
    return made


async def send(block: Block, queue: Queue, topic_arn: str, entries: list[Entry]) -> list[Outcome]:
    """Send up to ten messages at once, on behalf of a topic; return what became of each. The entries get their Ids.

    Raises Unavailable where SQS cannot be reached at all.
    """
    for number, one in enumerate(entries):
        one["Id"] = str(number)
    result: Any = None
    refused: AwsError | None = None
    try:
        result = await block.call(
            "sqs",
            "SendMessageBatch",
            {"QueueUrl": f"{block.cloud.config.endpoint}/{queue.account}/{queue.name}", "Entries": entries},
            account=queue.account,
            region=queue.region,
            source_arn=topic_arn,
        )
    except AwsError as error:
        refused = error
    if refused is not None:
        if refused.status == _UNAVAILABLE:
            raise Unavailable(refused.message) from refused
        if refused.code == "BatchRequestTooLong" and len(entries) > 1:
            half = len(entries) // 2
            first = await send(block, queue, topic_arn, entries[:half])
            return first + await send(block, queue, topic_arn, entries[half:])
        return [undeliverable(refused)] * len(entries)
    return [
        None if failed is None else Undeliverable(str(failed), permanent=failed.permanent)
        for failed in of_batch(result, len(entries))
    ]


def undeliverable(error: AwsError) -> Undeliverable:
    """Return what an error that another block answers means for a delivery: its own faults pass, those of ours stay."""
    failed = DeliveryError.of(error)
    return Undeliverable(str(failed), permanent=failed.permanent, status=error.status)
