"""Container Insights: metrics of clusters that have them turned on.

CloudWatch user guide, "Amazon ECS Container Insights metrics". Of them: those of CPU, memory, networks and counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cloudlet.core import Transaction
from cloudlet.services.ecs import clusters, tasks
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_NAMESPACE: Final = "ECS/ContainerInsights"
_MAX_SENT_METRICS: Final = 500


class Sample(NamedTuple):
    """The CPU units and MiB that a task takes and reserves, and its traffic."""

    task: Task
    cpu: float
    memory: float
    reserved_cpu: int
    reserved_memory: int
    received: float = 0.0
    """Bytes per second."""
    sent: float = 0.0


async def report(block: Block, samples: Iterable[Sample]) -> None:
    """Send metrics of tasks to CloudWatch. Raises AwsError."""
    by_cluster: dict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        by_cluster[sample.task.account, sample.task.region, sample.task.cluster].append(sample)
    for (account, region, name), found in by_cluster.items():

        async def read(
            tx: Transaction, account: str = account, region: str = region, name: str = name
        ) -> list[Task] | None:
            cluster = await clusters.find(tx, account, region, name)
            is_on = cluster is not None and cluster.is_insights_on
            return await tasks.list_tasks(tx, account, region, name) if is_on else None

        live = await block.store.transact(read)
        if live is None:
            continue
        data = _list_data(name, found, live, block.clock.now())
        for begin in range(0, len(data), _MAX_SENT_METRICS):
            params = {"Namespace": _NAMESPACE, "MetricData": data[begin : begin + _MAX_SENT_METRICS]}
            await block.call("cloudwatch", "PutMetricData", params, account=account, region=region)


def _list_data(cluster: str, samples: list[Sample], live: list[Task], now: float) -> list[dict[str, Any]]:
    """Return the data of a cluster, and of its services and families."""
    data: list[dict[str, Any]] = []

    def add(dimensions: dict[str, str], values: dict[str, tuple[float, str]]) -> None:
        listed = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        data.extend(
            {"MetricName": name, "Dimensions": listed, "Value": float(value), "Unit": unit, "Timestamp": now}
            for name, (value, unit) in values.items()
        )

    base = {"ClusterName": cluster}
    services = {task.service for task in live if task.service}
    counts = {"TaskCount": (len(live), "Count"), "ServiceCount": (len(services), "Count")}
    add(base, {**_sum(samples), **counts, "ContainerInstanceCount": (1, "Count")})
    for service in services:
        own = [task for task in live if task.service == service]
        running = sum(task.last_status == "RUNNING" for task in own)
        pending = sum(task.last_status in ("PROVISIONING", "PENDING", "ACTIVATING") for task in own)
        counted = {"RunningTaskCount": (running, "Count"), "PendingTaskCount": (pending, "Count")}
        add({**base, "ServiceName": service}, {**_sum([s for s in samples if s.task.service == service]), **counted})
    for family in {sample.task.family for sample in samples}:
        add({**base, "TaskDefinitionFamily": family}, _sum([s for s in samples if s.task.family == family]))
    return data


def _sum(samples: list[Sample]) -> dict[str, tuple[float, str]]:
    # The machine's own network is nobody's, as on AWS.
    traffic = [each for each in samples if each.task.network_mode in ("awsvpc", "bridge")]
    networks = {
        "NetworkRxBytes": (sum(each.received for each in traffic), "Bytes/Second"),
        "NetworkTxBytes": (sum(each.sent for each in traffic), "Bytes/Second"),
    }
    return {
        **(networks if traffic else {}),
        "CpuUtilized": (sum(each.cpu for each in samples), "None"),
        "CpuReserved": (sum(each.reserved_cpu for each in samples), "None"),
        "MemoryUtilized": (sum(each.memory for each in samples), "Megabytes"),
        "MemoryReserved": (sum(each.reserved_memory for each in samples), "Megabytes"),
    }
