"""What became of a delivery in the end, for all who keep account of it."""

from __future__ import annotations

from cloudlet.core.kernel.block import Block
from cloudlet.services.sns import measuring, status_log, tracing
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable


def settled(
    block: Block,
    topic: Topic,
    subscribed: Subscription,
    message: Message,
    outcome: Undeliverable | None,
    *,
    began: float,
    attempts: int = 1,
) -> None:
    """Note that a delivery succeeded or, as `outcome` says why, was given up, after so many attempts.

    `began` is when the last of them did, in seconds since the epoch.
    """
    measuring.settled(block, topic, outcome)
    told(block, topic, subscribed, message, outcome, began=began, attempts=attempts)


def told(
    block: Block,
    topic: Topic,
    subscribed: Subscription,
    message: Message,
    outcome: Undeliverable | None,
    *,
    began: float,
    attempts: int = 1,
) -> None:
    """Note it in the log of deliveries and in X-Ray, as the topic asks for; it is measured already."""
    status_log.note(block, topic, subscribed, message, outcome, attempts)
    if message.traced:
        tracing.delivered(block, topic, subscribed, message, outcome, began)
