"""What SNS measures of itself, for CloudWatch.

Developer guide, "Monitoring Amazon SNS topics using CloudWatch": what topics were given, and what became of deliveries
once they were settled. Messages to phones and to single endpoints are not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from cloudlet.core import Context, Params, Result
from cloudlet.core.block import Block
from cloudlet.core.metrics import Values, in_ended_minute
from cloudlet.services.sns.topic import Topic
from cloudlet.services.sns.undeliverable import Undeliverable
from cloudlet.wire import WireError

_MOST_TOPICS = 10_000
"""Of those that were used since the last report; others are not measured."""


class _Use:
    """What a topic did since the last report."""

    __slots__ = ("delivered", "failed", "sizes")

    def __init__(self) -> None:
        self.sizes = Values()
        """Of the messages that were published, in bytes."""
        self.delivered = self.failed = 0


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
    """Count deliveries that are settled: `outcome` is why they failed, None where they did not."""
    use = _of(block, topic.arn) if block.is_measured else None
    if use is None:
        return
    if outcome is None:
        use.delivered += count
    else:
        use.failed += count


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
            ("NumberOfNotificationsDelivered", "Count", Values.ones(use.delivered)),
            ("NumberOfNotificationsFailed", "Count", Values.ones(use.failed)),
        ):
            block.metrics.include(account, region, metric, (("TopicName", name),), at, values, unit)
