"""What blocks measure of themselves, as CloudWatch shows it."""

from __future__ import annotations

import datetime
from typing import Any

from cloudlet.testing.server import Aws
from tests.standing import NOON

_DAY = datetime.timedelta(days=1)


def total(aws: Aws, namespace: str, metric: str, **dimensions: str) -> float | None:
    """Return the sum of a metric since standing clocks stood at first; None where there is none."""
    noon = datetime.datetime.fromisoformat(NOON)
    points: list[dict[str, Any]] = aws.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=noon - _DAY,
        EndTime=noon + 400 * _DAY,
        Period=86_400,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points) if points else None
