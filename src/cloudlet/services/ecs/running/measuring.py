"""Metrics of tasks for CloudWatch: what they take of what they reserve.

Developer guide, "Amazon ECS CloudWatch metrics": CPUUtilization and MemoryUtilization, by cluster and service.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from cloudlet.core.background.jobs import best_effort
from cloudlet.core.telemetry.metrics import get_metrics
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.ecs import tasks
from cloudlet.services.ecs.running import insights
from cloudlet.services.ecs.running.insights import Sample
from cloudlet.services.ecs.running.runner import RUNNER, TaskUsage, make_container_name
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_CPU_UNITS: Final = 1024
_MIB: Final = 1 << 20
_MAX_NAMES: Final = 500


class _Place(NamedTuple):
    account: str
    region: str
    cluster: str
    service: str


async def measure(block: Block) -> None:
    """Add what the tasks of services and clusters have taken since the last time."""
    runner = RUNNER.get(block)
    if not runner.is_leading:
        return
    shares: dict[_Place, list[tuple[float, float]]] = defaultdict(list)
    samples: list[Sample] = []
    known = runner.measured
    runner.measured = {}
    for key in await tasks.list_live(block):
        task = await block.store.transact(lambda tx, key=key: tasks.find(tx, *key))  # type: ignore[misc]
        if task is None or task.last_status != "RUNNING":
            continue
        taken = await _measure(block, task)
        if taken is None:
            continue
        runner.measured[task.id] = taken
        before, size = known.get(task.id), taken.memory_bytes
        if before is not None and taken.time > before.time:
            cpu, memory = task.reserved
            passed = taken.time - before.time
            used = _CPU_UNITS * (taken.processor_seconds - before.processor_seconds) / passed
            received = (taken.received_bytes - before.received_bytes) / passed
            sent = (taken.sent_bytes - before.sent_bytes) / passed
            samples.append(Sample(task, used, size / _MIB, cpu, memory, max(0.0, received), max(0.0, sent)))
            share = 100 * used / cpu if cpu else 0.0, 100 * size / (memory * _MIB) if memory else 0.0
            shares[_Place(task.account, task.region, task.cluster, "")].append(share)
            if task.service:
                shares[_Place(task.account, task.region, task.cluster, task.service)].append(share)
    for place, found in shares.items():
        dimensions = [("ClusterName", place.cluster), *([("ServiceName", place.service)] if place.service else [])]
        for cpu_share, memory_share in found:
            for name, value in (("CPUUtilization", cpu_share), ("MemoryUtilization", memory_share)):
                about = place.account, place.region, name, tuple(dimensions), block.clock.now()
                get_metrics(block).add(*about, value, unit="Percent")
    if block.cloud.has("cloudwatch"):
        await best_effort(block, "metrics of Container Insights", lambda: insights.report(block, samples))


async def _measure(block: Block, task: Task) -> TaskUsage | None:
    """Return what a task has taken, None where that is not counted."""
    names = [make_container_name(task, each) for each in task.containers if each.status == "RUNNING"]
    try:
        measured = await RUNNER.get(block).keeper.call("measure", names=names[:_MAX_NAMES])
    except KeeperError:
        return None
    found = [each for each in measured.values() if each["processor_seconds"] is not None]
    # Containers of a task share an interface, but in a bridge network.
    networks = [each["networks"] for each in measured.values()][: None if task.network_mode == "bridge" else 1]
    interfaces = [counters for each in networks for counters in each.values()]
    return TaskUsage(
        RUNNER.get(block).get_time(),
        sum(each["processor_seconds"] for each in found),
        sum(each["memory_bytes"] or 0 for each in found),
        sum(each["rx_bytes"] for each in interfaces),
        sum(each["tx_bytes"] for each in interfaces),
    )
