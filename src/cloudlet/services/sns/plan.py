"""Who gets what is published to a topic: its confirmed subscriptions, made ready for deciding fast.

Topics can have millions of subscriptions, so a plan is of one page of them. A page is read again only when the topic
or one of its subscriptions has changed (the topic's version tells).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cloudlet.core import Arn, Transaction
from cloudlet.services.sns import filter_policy, subscription
from cloudlet.services.sns.filter_policy import FilterPolicy, Rejection
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.queue_delivery import Queue
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.store.recent import ABSENT, RecentlyUsed

_PAGE: Final = 500
_SMALL: Final = 16
_SMALL_CACHED: Final = 2_048
_LARGE_CACHED: Final = 64
"""Plans that are kept, of so many recipients and of more: 36 MiB at most each, at 1.1 KB a recipient."""


class Recipient:
    """A confirmed subscription, with what is decoded of it once."""

    __slots__ = ("_filter", "created", "queue", "subscription")

    def __init__(self, subscribed: Subscription) -> None:
        attributes = subscribed.attributes
        self.subscription = subscribed
        self.created = subscribed.created
        policy = attributes.get("FilterPolicy")
        self._filter: FilterPolicy | None = (
            filter_policy.parse(policy, attributes.get("FilterPolicyScope", "MessageAttributes")) if policy else None
        )
        self.queue: Queue | None = (
            Queue.of(Arn.parse(subscribed.endpoint), subscribed) if subscribed.protocol == "sqs" else None
        )
        """Where it goes, if it goes to a queue."""

    def wants(self, message: Message) -> bool:
        """Whether a message is for this subscription: published since it is there, and let through by its filter."""
        return self.created <= message.published and (self._filter is None or self._filter.matches(message))

    def rejection(self, message: Message) -> Rejection | None:
        """Return why the subscription's filter keeps a message from it; None where it lets it through."""
        return None if self._filter is None or self._filter.matches(message) else self._filter.why_not(message)

    @property
    def is_filtered(self) -> bool:
        """Whether it has a filter."""
        return self._filter is not None


class Plan:
    """The recipients among one page of a topic's subscriptions."""

    def __init__(self, topic: Topic, page: list[Subscription]) -> None:
        self.topic = topic
        self.recipients = recipients = [Recipient(subscribed) for subscribed in page if subscribed.confirmed]
        self.following = page[-1].id if len(page) == _PAGE else ""
        """The subscription behind which the next page begins, or "" where there is none."""
        self.queues = [recipient for recipient in recipients if recipient.queue is not None]
        self.queues_are_raw = all(recipient.queue.raw for recipient in self.queues if recipient.queue is not None)
        """Whether no queue gets SNS's envelope, which may be signed."""
        self.others = [recipient for recipient in recipients if recipient.queue is None]
        self.is_filtered = any(recipient.is_filtered for recipient in recipients)

    def chosen(self, messages: list[Message]) -> Chosen:
        """Return who gets messages that were published just now."""
        if not self.is_filtered:
            return Chosen(_all(messages, self.queues), _all(messages, self.others), [])
        chosen = Chosen([], [], [])
        for message in messages:
            for recipient in self.recipients:
                rejection = recipient.rejection(message)
                if rejection is not None:
                    chosen.rejections.append(rejection)
                elif recipient.queue is not None:
                    chosen.queues.append((message, recipient))
                else:
                    chosen.others.append((message, recipient))
        return chosen


class Chosen(NamedTuple):
    """Who gets messages, and why filters keep them from others."""

    queues: list[tuple[Message, Recipient]]
    others: list[tuple[Message, Recipient]]
    rejections: list[Rejection]


def _all(messages: list[Message], recipients: list[Recipient]) -> list[tuple[Message, Recipient]]:
    return [(message, recipient) for message in messages for recipient in recipients]


def rejections(messages: Iterable[Message], recipients: Iterable[Recipient]) -> Iterator[Rejection]:
    """Yield why filters keep messages from recipients who were there when they were published."""
    for message in messages:
        for recipient in recipients:
            rejection = recipient.rejection(message)
            if rejection is not None and recipient.created <= message.published:
                yield rejection


_small: Final = RecentlyUsed(_SMALL_CACHED)
_large: Final = RecentlyUsed(_LARGE_CACHED)


async def of_topic(tx: Transaction, topic: Topic, after: str = "") -> Plan:
    """Return the plan of the page of subscriptions that begins behind the id `after`."""
    key = (topic.number, topic.version, after)
    plan = _small.get(key)
    if plan is ABSENT:
        plan = _large.get(key)
    if plan is ABSENT:
        plan = Plan(topic, await subscription.of_topic(tx, topic, after=after, limit=_PAGE))
        (_small if len(plan.recipients) <= _SMALL else _large).add(key, plan)
    return plan  # type: ignore[no-any-return]
