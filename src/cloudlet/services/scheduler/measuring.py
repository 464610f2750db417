"""What Scheduler measures of itself. User guide, "Monitoring Amazon EventBridge Scheduler with Amazon CloudWatch"."""

from __future__ import annotations

from collections.abc import Iterator

from cloudlet.core.background.retrying import DeliveryError, is_throttled
from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.metrics import get_metrics
from cloudlet.services.scheduler.firing import Firing


def note(block: Block, tried: Firing, failed: DeliveryError | None, after: Firing | None, now: float) -> None:
    """Count what became of an attempt; `now` is in seconds since the epoch."""
    counted = _alive(failed, after) if tried.dead is None else _dead(failed, after)
    for metric in counted:
        for dimensions in ((), (("ScheduleGroup", tried.group),)):
            get_metrics(block).add(tried.account, tried.region, metric, dimensions, now)


def _alive(failed: DeliveryError | None, after: Firing | None) -> Iterator[str]:
    yield "InvocationAttemptCount"
    if failed is None:
        return
    yield "TargetErrorThrottledCount" if is_throttled(failed.code) else "TargetErrorCount"
    if after is None or after.dead is not None:
        yield "InvocationDroppedCount"


def _dead(failed: DeliveryError | None, after: Firing | None) -> Iterator[str]:
    if failed is None:
        yield "InvocationsSentToDeadLetterCount"
    elif after is None:
        yield "InvocationsFailedToBeSentToDeadLetterCount"
        yield f"InvocationsFailedToBeSentToDeadLetterCount_{failed.code}"
