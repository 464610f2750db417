"""CloudWatch within the test's own process, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import Principal, root
from cloudlet.services.cloudwatch.alarm import scheduled
from tests.in_process import InProcess

ACCOUNT = "111111111111"
REGION = "eu-west-1"
OWNER = root(ACCOUNT, ACCOUNT)
_SERVICES = frozenset({"cloudwatch", "events", "lambda", "sns", "sqs"})


class LocalCloud(InProcess):
    """Calls operations of CloudWatch as the root of an account, and moves the clock."""

    block = "cloudwatch"

    def __init__(self, folder: Path) -> None:
        super().__init__(Config(data=folder, services=_SERVICES, durable=False))

    def call(
        self, operation: str, *, service: str = "cloudwatch", by: Principal = OWNER, **params: Any
    ) -> dict[str, Any]:
        """Call an operation and return its result. Raises AwsError."""
        called = self.cloud.call(service, operation, params, principal=by, account=ACCOUNT, region=REGION)
        return dict(self.run(called) or {})

    def refused(self, operation: str, **params: Any) -> AwsError:
        """Call an operation that is refused; return the error."""
        with pytest.raises(AwsError) as caught:
            self.call(operation, **params)
        return caught.value

    def put(self, value: float, name: str = "m", *, ago: float = 0, **more: Any) -> None:
        """Put a value of a metric in the namespace N, of so many seconds ago."""
        datum = {"MetricName": name, "Value": value, "Timestamp": self.now - ago, **more}
        self.call("PutMetricData", Namespace="N", MetricData=[datum])

    def put_alarm(self, name: str, **more: Any) -> None:
        """Create an alarm that rings where the sum of a minute of the metric m is greater than 0.5."""
        wanted = {"Namespace": "N", "MetricName": "m", "Statistic": "Sum", "Period": 60, "Threshold": 0.5}
        judged = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold"}
        self.call("PutMetricAlarm", AlarmName=name, **wanted, **judged, **more)

    def statistics(self, begin: float, end: float, period: int, name: str = "m", **more: Any) -> list[dict[str, Any]]:
        """Return the datapoints of a metric."""
        params = {"Namespace": "N", "MetricName": name, "StartTime": begin, "EndTime": end, "Period": period}
        return list(self.call("GetMetricStatistics", **params, **more)["Datapoints"])

    def sums(self, begin: float, end: float, period: int, name: str = "m") -> list[float]:
        return [one["Sum"] for one in self.statistics(begin, end, period, name, Statistics=["Sum"])]

    def advance(self, seconds: float) -> None:
        """Move the clock, and let what waits for it run: all alarms that are due then are evaluated."""
        super().advance(seconds)
        while self._is_due():
            self.run(asyncio.sleep(0))
        self.run(self.settle())

    def _is_due(self) -> bool:
        """Whether alarms are still to be evaluated now."""
        rows = self.transact(lambda tx: scheduled(tx, 1)) if self.block in self.cloud.running() else []
        return bool(rows) and rows[0][0] <= self.now * 1000


@contextmanager
def local_cloud(folder: Path) -> Iterator[LocalCloud]:
    """Run a Cloudlet until the end of the `with` block."""
    cloud = LocalCloud(folder)
    try:
        yield cloud
    finally:
        cloud.close()
