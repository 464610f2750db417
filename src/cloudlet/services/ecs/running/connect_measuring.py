"""Metrics of Service Connect for CloudWatch, out of the counters of proxies.

Developer guide, "Amazon ECS CloudWatch metrics". A proxy counts what comes to its task by discovery names
(`DiscoveryName`), and what its task sends by those of the others (`TargetDiscoveryName`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.telemetry.metrics import get_metrics
from cloudlet.engines.envoy import statistics
from cloudlet.engines.envoy.statistics import Statistics

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block
    from cloudlet.services.ecs.running.runner import Runner
    from cloudlet.services.ecs.task_record import Task

_INBOUND: Final = r"(?:http|tcp)\.in\.([a-z0-9_-]+)\.downstream_"
_OUTBOUND: Final = r"cluster\.(?:out|test)\.([a-z0-9_-]+)\.upstream_"
_PATTERN: Final = rf"^(?:{_INBOUND}(?:cx_total|cx_active|cx_[rt]x_bytes_total|rq_total)|" \
    rf"{_OUTBOUND}(?:rq_[2-5]xx|rq_completed|rq_time|cx_[rt]x_bytes_total))$"  # fmt: skip
_NAME: Final = re.compile(rf"(?:{_INBOUND}|{_OUTBOUND})(.+)")
_INBOUND_METRICS: Final[Mapping[str, tuple[str, str]]] = {
    "rq_total": ("RequestCount", "Count"),
    "cx_total": ("NewConnectionCount", "Count"),
    "cx_rx_bytes_total": ("ProcessedBytes", "Bytes"),
    "cx_tx_bytes_total": ("ProcessedBytes", "Bytes"),
}
_OUTBOUND_METRICS: Final[Mapping[str, tuple[str, str]]] = {
    **{f"rq_{number}xx": (f"HTTPCode_Target_{number}XX_Count", "Count") for number in range(2, 6)},
    "cx_rx_bytes_total": ("TargetProcessedBytes", "Bytes"),
    "cx_tx_bytes_total": ("TargetProcessedBytes", "Bytes"),
}
_ACTIVE: Final = "cx_active"
_COUNTED: Final[PerBlock[dict[str, Statistics]]] = PerBlock(lambda _: {})
"""The statistics of the proxies of tasks when they were asked last."""


class Measurement(NamedTuple):
    """A value of a metric, measured some times."""

    name: str
    unit_name: str
    dimension: str
    discovery_name: str
    value: float
    times: int = 1


async def count(runner: Runner, task: Task, path: Path) -> None:
    """Add what the proxy of a task has counted since the last time."""
    block = runner.block
    try:
        now = await statistics.read(path, _PATTERN)
    except OSError:
        # It has ended, or is too busy: what it has counted is added later, if there is a later.
        return
    known = _COUNTED.get(block)
    before, known[task.id] = known.get(task.id), now
    if before is None:
        # Another process has counted until now.
        return
    time, metrics = block.clock.now(), get_metrics(block)
    grpc = {port.discovery_name for port in task.connect.ports if port.protocol == "grpc"} if task.connect else set()
    for each in compare(before, now, grpc):
        own = (each.dimension, each.discovery_name)
        service = (("ClusterName", task.cluster), own, ("ServiceName", task.service))
        for dimensions in ((own,), service):
            metrics.add(
                task.account,
                task.region,
                each.name,
                dimensions,
                time,
                each.value,
                unit=each.unit_name,
                count=each.times,
            )


def begin(block: Block, task: Task) -> None:
    """Count from 0 for the proxy of a task, which is about to start."""
    _COUNTED.get(block)[task.id] = Statistics()


def forget(block: Block, task: Task) -> None:
    """Forget what the proxy of a task that ends has counted."""
    _COUNTED.get(block).pop(task.id, None)


def compare(before: Statistics, now: Statistics, grpc: set[str]) -> Iterator[Measurement]:
    """Yield what has happened between two looks. A proxy that was started again has begun at 0."""
    grown = now - before
    for name, value in grown.values.items():
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        inbound, outbound, kind = found.groups()
        if kind == _ACTIVE:
            if active := now.values[name]:
                yield Measurement("ActiveConnectionCount", "Count", "DiscoveryName", inbound, active)
            continue
        metric = (_INBOUND_METRICS if inbound else _OUTBOUND_METRICS).get(kind)
        if not value or metric is None:
            continue
        dimension = "DiscoveryName" if inbound else "TargetDiscoveryName"
        yield Measurement(*metric, dimension, inbound or outbound, value)
        if kind == "rq_total" and inbound in grpc:
            yield Measurement("GrpcRequestCount", "Count", dimension, inbound, value)
    for name, values in grown.histograms.items():
        found = _NAME.fullmatch(name)
        for milliseconds, times in values.items():
            if found is not None and times:
                yield Measurement(
                    "TargetResponseTime", "Milliseconds", "TargetDiscoveryName", found[2], milliseconds, times
                )
