"""What SNS measures of itself, for CloudWatch.

Developer guide, "Monitoring Amazon SNS topics using CloudWatch": what topics were given, and what became of deliveries
once they were settled. Messages to phones and to single endpoints are not measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from cloudlet.core import Context, Params, Result
from cloudlet.core.block import Block
from cloudlet.core.metrics import Values, in_ended_minute
from cloudlet.services.sns.filter_policy import Rejection
from cloudlet.services.sns.topic import Topic
from cloudlet.services.sns.undeliverable import Undeliverable
from cloudlet.wire import WireError

_MOST_TOPICS = 10_000
"""Of those that were used since the last report; others are not measured."""


class _Use:
    """What a topic did since the last report."""

    __slots__ = ("counts", "sizes")

    def __init__(self) -> None:
        self.sizes = Values()
        """Of the messages that were published, in bytes."""
        self.counts: defaultdict[str, int] = defaultdict(int)
        """How often what happened to notifications, by metric."""


_uses: WeakKeyDictionary[Block, dict[str, _Use]] = WeakKeyDictionary()
"""By the topic's ARN."""


def note(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Count a call that was answered."""
    if error is not None or not ctx.block.is_measured:
        return
    arn = params.get("TopicArn") or params.get("TargetArn")
    if operation == "Publish" and arn:
        _sent(ctx.block, arn, params)
    elif operation == "PublishBatch":
        accepted = {each["Id"] for each in (result or {}).get("Successful") or ()}
        for each in params["PublishBatchRequestEntries"]:
            if each["Id"] in accepted:
                _sent(ctx.block, params["TopicArn"], each)


def _sent(block: Block, arn: str, message: Mapping[str, Any]) -> None:
    use = _of(block, arn)
    if use is not None:
        use.sizes.add(len(message["Message"]))


def settled(block: Block, topic: Topic, outcome: Undeliverable | None, count: int = 1) -> None:
    """Count deliveries that are settled: `outcome` is why they failed, None where they did not.

    Of HTTP endpoints each attempt that fails counts.
    """
    _count(block, topic, "Delivered" if outcome is None else "Failed", count)


def buried(block: Block, topic: Topic, outcome: Undeliverable | None) -> None:
    """Count a notification that has gone to a dead-letter queue or, as `outcome` says why, could not."""
    _count(block, topic, "RedrivenToDlq" if outcome is None else "FailedToRedriveToDlq")


def filtered_out(block: Block, topic: Topic, rejections: Iterable[Rejection]) -> None:
    """Count notifications that filter policies have kept from subscriptions."""
    if block.is_measured:
        for rejection in rejections:
            _count(block, topic, "FilteredOut")
            _count(block, topic, f"FilteredOut-{rejection}")


def _count(block: Block, topic: Topic, what: str, count: int = 1) -> None:
    use = _of(block, topic.arn) if block.is_measured and count else None
    if use is not None:
        use.counts[f"NumberOfNotifications{what}"] += count


def _of(block: Block, arn: str) -> _Use | None:
    uses = _uses.get(block)
    if uses is None:
        uses = _uses[block] = {}
    use = uses.get(arn)
    if use is None and len(uses) < _MOST_TOPICS:
        use = uses[arn] = _Use()
    return use


async def measure(block: Block) -> None:
    """Add what all topics did to the block's metrics, for the minute that has just ended."""
    at = in_ended_minute(block.clock.now())
    for arn, use in _uses.pop(block, {}).items():
        parts = arn.split(":")
        if ":endpoint/" in arn or len(parts) != 6:
            continue
        region, account, name = parts[3:]
        for metric, unit, values in (
            ("PublishSize", "Bytes", use.sizes),
            ("NumberOfMessagesPublished", "Count", Values.ones(use.sizes.count)),
            *((counted, "Count", Values.ones(count)) for counted, count in use.counts.items()),
        ):
            block.metrics.include(account, region, metric, (("TopicName", name),), at, values, unit)
