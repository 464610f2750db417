"""What SNS measures of itself, for CloudWatch.

Developer guide, "Monitoring Amazon SNS topics using CloudWatch": what topics were given, and what became of deliveries
once they were settled. Messages to phones and to single endpoints are not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from cloudlet.core import Context, Params, Result
from cloudlet.core.aws import utf8
from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.metrics import Dimensions, Meter, get_metrics, is_measured
from cloudlet.services.sns.filter_policy import Rejection
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable
from cloudlet.wire import WireError


def note(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Count a call that was answered."""
    if error is not None or not is_measured(ctx.block):
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
    meter = _meter(block, arn)
    if meter is not None:
        meter.add("PublishSize", "Bytes", utf8.size(message["Message"]))
        meter.counts["NumberOfMessagesPublished"] += 1


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
    if is_measured(block):
        for rejection in rejections:
            _count(block, topic, "FilteredOut")
            _count(block, topic, f"FilteredOut-{rejection}")


def _count(block: Block, topic: Topic, what: str, count: int = 1) -> None:
    meter = _meter(block, topic.arn) if is_measured(block) and count else None
    if meter is not None:
        meter.counts[f"NumberOfNotifications{what}"] += count


def _meter(block: Block, arn: str) -> Meter | None:
    """Return what measures a topic; None for an endpoint and for what is none."""
    place = _place(arn)
    return None if place is None else get_metrics(block).meter(*place)


@lru_cache(1024)
def _place(arn: str) -> tuple[str, str, Dimensions] | None:
    """Return the account, the region and the dimensions of a topic."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[5].startswith("endpoint/"):
        return None
    return parts[4], parts[3], (("TopicName", parts[5]),)
