"""What was answered survives a crash."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.standing import eventually


def test_what_was_put_is_there_after_a_kill(tmp_path: Path) -> None:
    account, at = fresh_account(), int(time.time() * 1000)
    stream = {"logGroupName": "g", "logStreamName": "s"}
    with Server.start("--data", str(tmp_path)) as server:
        client: Any = Aws(server.endpoint, account).client("logs")
        client.create_log_group(logGroupName="g")
        client.create_log_stream(**stream)
        for number in range(20):
            client.put_log_events(**stream, logEvents=[{"timestamp": at + number, "message": str(number)}])
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        client = Aws(server.endpoint, account).client("logs")
        events = client.get_log_events(**stream)["events"]
        assert [event["message"] for event in events] == [str(number) for number in range(20)]


def test_metrics_of_events_are_published_after_a_kill(tmp_path: Path) -> None:
    account, at = fresh_account(), int(time.time() * 1000)
    stream = {"logGroupName": "g", "logStreamName": "s"}
    transformation = {"metricName": "m", "metricNamespace": "Shop", "metricValue": "1"}
    with Server.start("--data", str(tmp_path), "--services", "logs") as server:
        # The block of metrics is not there, so that nothing can be published before the end.
        client: Any = Aws(server.endpoint, account).client("logs")
        client.create_log_group(logGroupName="g")
        client.create_log_stream(**stream)
        client.put_metric_filter(
            logGroupName="g", filterName="f", filterPattern="ERROR", metricTransformations=[transformation]
        )
        client.put_log_events(**stream, logEvents=[{"timestamp": at, "message": "ERROR"}] * 3)
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloudwatch: Any = Aws(server.endpoint, account).client("cloudwatch")

        def found() -> list[dict[str, Any]]:
            now = time.time()
            points: list[dict[str, Any]] = cloudwatch.get_metric_statistics(
                Namespace="Shop",
                MetricName="m",
                StartTime=now - 3600,
                EndTime=now + 60,
                Period=86400,
                Statistics=["Sum"],
            )["Datapoints"]
            return points

        assert [one["Sum"] for one in eventually(found)] == [3]
