"""Dead letters: what cannot be delivered goes to the queue that the subscription's RedrivePolicy names.

Developer guide, "Amazon SNS dead-letter queues". The letter is what the subscriber would have got.
"""

from __future__ import annotations

import json

from cloudlet.core import Arn
from cloudlet.core.kernel.block import Block
from cloudlet.services.sns import queue_delivery
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.queue_delivery import Queue, Unavailable
from cloudlet.services.sns.signing import Signature
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.undeliverable import Undeliverable


def queue_of(subscribed: Subscription) -> Queue | None:
    """Return a subscription's dead-letter queue, or None where it has none."""
    policy = subscribed.attributes.get("RedrivePolicy")
    if not policy:
        return None
    return Queue.of(Arn.parse(json.loads(policy)["deadLetterTargetArn"]), subscribed)


async def bury(block: Block, subscribed: Subscription, message: Message, signature: Signature | None) -> None:
    """Send a message to the subscription's dead-letter queue, if it has one. Raises Undeliverable."""
    queue = queue_of(subscribed)
    if queue is None:
        return
    letter = queue_delivery.entry(queue, message, subscribed, block.cloud.config.endpoint, signature)
    try:
        (outcome,) = await queue_delivery.send(block, queue, subscribed.topic, [letter])
    except Unavailable as unavailable:
        raise Undeliverable(str(unavailable), permanent=False) from unavailable
    if outcome is not None:
        raise outcome
