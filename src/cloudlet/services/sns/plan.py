"""Who gets what is published to a topic: its confirmed subscriptions, made ready for deciding fast.

Topics can have millions of subscriptions, so a plan is of one page of them. A page is read again only when the topic
or one of its subscriptions has changed (the topic's version tells).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cloudlet.core import Arn, Transaction
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.sns import filter_policy, subscription
from cloudlet.services.sns.filter_policy import Rejection
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.queue_delivery import Queue
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic

_PAGE: Final = 500
_KEPT_BYTES: Final = 64 << 20
_RECIPIENT_BYTES: Final = 1_100
"""What one takes in memory, besides the texts of its attributes."""


class Recipient:
    """A confirmed subscription, with what is decoded of it once."""

    __slots__ = ("_policy", "_scope", "created", "queue", "subscription")

    def __init__(self, subscribed: Subscription) -> None:
        attributes = subscribed.attributes
        self.subscription = subscribed
        self.created = subscribed.created
        self._policy = attributes.get("FilterPolicy") or ""
        self._scope = attributes.get("FilterPolicyScope", "MessageAttributes")
        self.queue: Queue | None = (
            Queue.of(Arn.parse(subscribed.endpoint), subscribed) if subscribed.protocol == "sqs" else None
        )
        """Where it goes, if it goes to a queue."""

    def rejection(self, message: Message) -> Rejection | None:
        """Return why the subscription's filter keeps a message from it; None where it lets it through."""
        if not self._policy:
            return None
        filter = filter_policy.compiled(self._policy, self._scope)
        return None if filter.matches(message) else filter.why_not(message)

    @property
    def is_filtered(self) -> bool:
        """Whether it has a filter."""
        return bool(self._policy)

    @property
    def effort(self) -> tuple[int, int]:
        """How many characters of its filter have to be compiled first, and how often that looks at each value."""
        filter = filter_policy.known(self._policy, self._scope) if self._policy else None
        return (len(self._policy), 0) if filter is None else (0, filter.tests)

    @property
    def size(self) -> int:
        """The bytes that it takes in memory, roughly."""
        return _RECIPIENT_BYTES + sum([len(value) for value in self.subscription.attributes.values()])


class Plan:
    """The recipients among one page of a topic's subscriptions."""

    def __init__(self, topic: Topic, page: list[Subscription]) -> None:
        self.topic = topic
        self.version = topic.version
        self.recipients = recipients = [Recipient(subscribed) for subscribed in page if subscribed.confirmed]
        self.following = page[-1].id if len(page) == _PAGE else ""
        """The subscription behind which the next page begins, or "" where there is none."""
        self.queues = [recipient for recipient in recipients if recipient.queue is not None]
        self.others = [recipient for recipient in recipients if recipient.queue is None]
        self.is_filtered = any(recipient.is_filtered for recipient in recipients)

    def chosen(self, messages: list[Message]) -> MatchedRecipients:
        """Return who gets messages that were published just now."""
        if not self.is_filtered:
            return MatchedRecipients(_all(messages, self.queues), _all(messages, self.others), [])
        chosen = MatchedRecipients([], [], [])
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


class MatchedRecipients(NamedTuple):
    """Who gets messages, and why filters keep them from others."""

    queues: list[tuple[Message, Recipient]]
    others: list[tuple[Message, Recipient]]
    rejections: list[Rejection]


def _all(messages: list[Message], recipients: list[Recipient]) -> list[tuple[Message, Recipient]]:
    return [(message, recipient) for message in messages for recipient in recipients]


_kept: Final[SizedCache[tuple[int, str], Plan]] = SizedCache(_KEPT_BYTES)


async def of_topic(tx: Transaction, topic: Topic, after: str = "") -> Plan:
    """Return the plan of the page of subscriptions that begins behind the id `after`."""
    key = (topic.number, after)
    plan = _kept.get(key)
    if plan is None or plan.version != topic.version:
        plan = Plan(topic, await subscription.of_topic(tx, topic, after=after, limit=_PAGE))
        _kept.add(key, plan, sum([recipient.size for recipient in plan.recipients], _RECIPIENT_BYTES))
    return plan
