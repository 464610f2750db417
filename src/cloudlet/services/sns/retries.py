"""When a delivery that failed is tried again. Developer guide, "Amazon SNS message delivery retries".

The policy of what AWS runs (SQS, Lambda) and that of what customers run (mail, text messages, mobile push) are AWS's
own; that of HTTP endpoints is the topic's or the subscription's.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from cloudlet.services.sns import dead_letters, delivery_policy
from cloudlet.services.sns.backlog import Waiting
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable


class _Phases(NamedTuple):
    """How often and, in seconds, how long apart: at once, before backing off, backing off, and after."""

    immediate: int
    before: int
    before_seconds: float
    backoff: int
    least_seconds: float
    most_seconds: float
    after: int
    after_seconds: float

    def delay(self, failures: int) -> float | None:
        """Return the seconds to wait after so many failures, or None to give up."""
        retry = failures - self.immediate
        if retry <= 0:
            return 0.0
        if retry <= self.before:
            return self.before_seconds
        retry -= self.before
        if retry <= self.backoff:
            growth: float = (self.most_seconds / self.least_seconds) ** (1 / (self.backoff - 1))
            return self.least_seconds * growth ** (retry - 1)
        return self.after_seconds if retry - self.backoff <= self.after else None


MANAGED_BY_AWS = _Phases(3, 2, 1, 10, 1, 20, 100_000, 20)
MANAGED_BY_CUSTOMERS = _Phases(0, 2, 10, 10, 10, 600, 38, 600)


def delay(topic: Topic, subscribed: Subscription, failures: int) -> float | None:
    """Return the seconds to wait before a delivery is tried again, or None to give it up."""
    if subscribed.protocol in ("sqs", "lambda"):
        return MANAGED_BY_AWS.delay(failures)
    if subscribed.protocol in ("http", "https"):
        return delivery_policy.delay(delivery_policy.of(topic, subscribed), failures)
    return MANAGED_BY_CUSTOMERS.delay(failures)


def after_failure(
    topic: Topic, subscribed: Subscription, waiting: Waiting, failure: Undeliverable, now: int
) -> Waiting | None:
    """Return what follows an attempt that failed at `now` (ms): another one, the dead-letter queue, or nothing."""
    if waiting.dead:
        pause = _dead_delay(waiting, failure)
        attempts = waiting.dead_attempts + 1
        return None if pause is None else replace(waiting, dead_attempts=attempts, due=_later(now, pause))
    attempts = waiting.attempts + 1
    pause = None if failure.permanent else delay(topic, subscribed, attempts)
    if pause is not None:
        return replace(waiting, attempts=attempts, due=_later(now, pause))
    if dead_letters.queue_of(subscribed) is None:
        return None
    return replace(waiting, attempts=attempts, due=now, dead=failure.reason)


def is_lost(waiting: Waiting, failure: Undeliverable) -> bool:
    """Whether what could not be brought to a dead-letter queue is not tried again."""
    return _dead_delay(waiting, failure) is None


def _dead_delay(waiting: Waiting, failure: Undeliverable) -> float | None:
    return None if failure.permanent else MANAGED_BY_AWS.delay(waiting.dead_attempts + 1)


def _later(now: int, seconds: float) -> int:
    return now + int(seconds * 1000)
