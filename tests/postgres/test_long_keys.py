"""What has long names is kept in a PostgreSQL too, whose keys are shorter than what AWS allows for some."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.postgres.server import fresh_database


def test_metrics_have_thirty_long_dimensions(tmp_path: Path) -> None:
    store = fresh_database()
    with Server.start("--data", str(tmp_path), "--store", store, "--services", "cloudwatch") as server:
        cw = Aws(server.endpoint, fresh_account()).client("cloudwatch")
        many = [{"Name": f"{number:02}{'n' * 200}", "Value": "v" * 1000} for number in range(30)]
        metrics = [
            {"Namespace": "N" * 255, "MetricName": "m" * 255, "Dimensions": dimensions}
            for dimensions in ([], many[:1], many[:29], many)
        ]
        for value, metric in enumerate(metrics):
            for unit in ("Count", "Bytes"):
                datum = {"MetricName": metric["MetricName"], "Dimensions": metric["Dimensions"]}
                cw.put_metric_data(Namespace=metric["Namespace"], MetricData=[{**datum, "Value": value, "Unit": unit}])
        listed = cw.list_metrics(Namespace="N" * 255, MetricName="m" * 255)["Metrics"]
        assert sorted(listed, key=lambda one: len(one["Dimensions"])) == metrics
        assert [one["Dimensions"] for one in cw.list_metrics(Dimensions=many[29:])["Metrics"]] == [many]
        now = datetime.now(UTC)
        span = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(hours=1), "Period": 86400}
        for value, metric in enumerate(metrics):
            for unit in ("Count", "Bytes"):
                found = cw.get_metric_statistics(**metric, **span, Statistics=["Sum"], Unit=unit)["Datapoints"]
                assert [one["Sum"] for one in found] == [value]
