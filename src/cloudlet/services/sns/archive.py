"""The archive of a FIFO topic: messages are kept in its log for days, and subscriptions may have them once more.

Developer guide, "Amazon SNS message archiving for FIFO topic owners" and "Amazon SNS message replay for FIFO topic
subscribers". A replay goes before what is published meanwhile; then that is delivered. Its messages have a
deduplication id of their own for each replay: queues would take them for repetitions within five minutes.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from hashlib import sha256

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.sns import cursor, fifo, plan, subscription, topic_attributes
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.cursor import Cursor, Replay
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic

_SWEEP_SECONDS = 60.0
_PAGE = 50
_STATUS = "ReplayStatus"


# -- replay


def is_asked_for(subscribed: Subscription) -> bool:
    """Whether a replay waits to be started."""
    return subscribed.attributes.get(_STATUS) == "Pending"


async def started(tx: Transaction, topic: Topic, subscribed: Subscription, at: Cursor) -> Cursor:
    """Start the replay that is asked for, in the place of one under way; return the cursor that is in it."""
    policy = json.loads(subscribed.attributes["ReplayPolicy"])
    begin = await fifo.number_at(tx, topic, _millis(policy["StartingPoint"]))
    last = await fifo.last_number(tx, topic)
    if "EndingPoint" in policy:
        last = min(last, await fifo.number_at(tx, topic, _millis(policy["EndingPoint"]) + 1) - 1)
    _set_status(tx, topic, subscribed, "In progress")
    return Cursor(at.at, 0, Replay(begin, begin - 1, last))


def finished(tx: Transaction, topic: Topic, subscribed: Subscription, at: Cursor) -> Cursor:
    """End a replay that has come to its end, or that is no longer wanted; return the cursor that follows."""
    if subscribed.attributes.get(_STATUS) == "In progress":
        complete = at.replay is None or at.replay.at >= at.replay.last
        _set_status(tx, topic, subscribed, "Completed" if complete else "Failed")
    return at.after_replay()


def is_over(topic: Topic, subscribed: Subscription, replay: Replay) -> bool:
    """Whether a replay has come to its end, was stopped, or has lost its archive."""
    return (
        replay.at >= replay.last
        or "ReplayPolicy" not in subscribed.attributes
        or "ArchivePolicy" not in topic.attributes
    )


def replayed(message: Message, subscribed: Subscription) -> Message:
    """Return a message of the archive as this subscription's replay delivers it."""
    named = f"{message.deduplication} {message.sequence} {subscribed.attributes['ReplayPolicy']}"
    return replace(message, deduplication=sha256(named.encode()).hexdigest(), replayed=True, traced=False)


def _set_status(tx: Transaction, topic: Topic, subscribed: Subscription, status: str) -> None:
    attributes = {**subscribed.attributes, _STATUS: status}
    subscription.store(tx, topic, subscription.with_attributes(subscribed, attributes), subscribed)


def _millis(point: str) -> int:
    return int(datetime.fromisoformat(point).timestamp() * 1000)


# -- retention


async def expire(block: Block) -> None:
    """Delete, for as long as the block runs, what archives need not keep any longer."""
    works = KeyedTasks(block)
    while True:
        after = ""
        while arns := await block.store.transact(lambda tx, after=after: fifo.archives(tx, after, _PAGE)):  # type: ignore[misc]
            for arn in arns:
                await works.attempt(arn, f"deleting old messages of {arn}", partial(_expire, block, arn))
            after = arns[-1]
        await back_off(block, _SWEEP_SECONDS)


async def _expire(block: Block, arn: str) -> None:
    await block.store.transact(lambda tx: _forget_unneeded(tx, arn, block.clock.now()))


async def _forget_unneeded(tx: Transaction, arn: str, now: float) -> None:
    topic = await topics.find(tx, arn)
    if topic is None or ("ArchivePolicy" not in topic.attributes and await fifo.is_empty(tx, topic)):
        fifo.forget_archive(tx, arn)
        return
    recipients = (await plan.of_topic(tx, topic)).recipients
    cursors = await cursor.of_topic(tx, topic, [recipient.subscription for recipient in recipients])
    fifo.forget(tx, topic, await unneeded(tx, topic, list(cursors.values()), now))


async def unneeded(tx: Transaction, topic: Topic, cursors: list[Cursor], now: float) -> int:
    """Return the place up to which neither a subscription nor the archive needs a topic's log."""
    place = min([at.at for at in cursors], default=await fifo.last_number(tx, topic))
    if "ArchivePolicy" not in topic.attributes:
        return place
    kept_since = int(topic_attributes.archive_start(topic, now) * 1000)
    return min(place, await fifo.number_at(tx, topic, kept_since) - 1)
