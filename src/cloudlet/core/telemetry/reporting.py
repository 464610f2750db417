"""Reporting to CloudWatch what blocks have measured, each minute, through its API."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from cloudlet.core.background.jobs import KeyedTasks, best_effort
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.observer import Observer
from cloudlet.core.kernel.timing import sleep_until
from cloudlet.core.telemetry.metrics import (
    PERIOD_SECONDS,
    Metrics,
    Series,
    Values,
    clamp_to_ended_minute,
    get_metrics,
)
from cloudlet.core.telemetry.usage import Usage

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.core")

_MAX_SENT_METRICS: Final = 100
"""The metrics of one request. PutMetricData takes a thousand, but others wait while it writes them."""


def observe_usage(block: Block) -> Observer | None:
    """Return what counts a block's calls, and reports what it has measured; None without CloudWatch."""
    if not block.cloud.has("cloudwatch"):
        return None
    usage = Usage(block.service)

    async def report(block: Block) -> None:
        await _report(block, usage)

    return Observer(answered=usage.count, job=report)


async def _report(block: Block, usage: Usage) -> None:
    """Send what a block has measured to CloudWatch, each minute, for ever."""
    works = KeyedTasks(block)
    while True:
        now = block.clock.now()
        await sleep_until(block, (now // PERIOD_SECONDS + 1) * PERIOD_SECONDS)
        for gauge in block.service.gauges:
            await works.attempt(gauge, f"the gauge {gauge}", partial(gauge, block))
        metrics = get_metrics(block)
        metrics.read_meters(clamp_to_ended_minute(block.clock.now()))
        await send(block, metrics)
        usage.close(clamp_to_ended_minute(block.clock.now()))
        await send(block, usage.metrics)


async def make_room(block: Block) -> None:
    """Send what a gauge has added so far, where that is much.

    One account's resources are not to displace others'.
    """
    metrics = get_metrics(block)
    if metrics.is_much:
        await send(block, metrics)


async def send(block: Block, metrics: Metrics) -> None:
    """Send what was measured in minutes that have ended."""
    by_place: defaultdict[tuple[str, str], dict[Series, Values]] = defaultdict(dict)
    for series, values in metrics.take_complete(block.clock.now()).items():
        by_place[series.account, series.region][series] = values
    for (account, region), measured in by_place.items():
        for part in _split(measured):
            work = partial(_send_part, block, metrics, account, region, part)
            await best_effort(block, f"metrics of {account}", work)


async def _send_part(block: Block, metrics: Metrics, account: str, region: str, part: dict[Series, Values]) -> None:
    data = [values.datum(series) for series, values in part.items()]
    params = {"Namespace": metrics.namespace, "MetricData": data}
    try:
        await block.call("cloudwatch", "PutMetricData", params, account=account, region=region)
    except AwsError as error:
        if error.status is not None and error.status >= 500:
            metrics.requeue(part)
        else:
            log.warning("CloudWatch does not take %s of %s: %s", metrics.namespace, block.service.name, error)


def _split(measured: dict[Series, Values]) -> Iterator[dict[Series, Values]]:
    rows = list(measured.items())
    for start in range(0, len(rows), _MAX_SENT_METRICS):
        yield dict(rows[start : start + _MAX_SENT_METRICS])
