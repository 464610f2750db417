"""The days that certificates have left, as CloudWatch shows them."""

from __future__ import annotations

import datetime
from typing import Any

from tests.services.acm.cloud import AcmCloud
from tests.standing import NOON, eventually, standing_server

DAY = datetime.timedelta(days=1)


def test_the_days_to_expiry_are_measured_twice_a_day() -> None:
    noon = datetime.datetime.fromisoformat(NOON)
    with standing_server() as standing:
        cloud = AcmCloud(standing.account())
        arn = cloud.request("example.com")

        def measured() -> list[dict[str, Any]]:
            points: list[dict[str, Any]] = cloud.aws.client("cloudwatch").get_metric_statistics(
                Namespace="AWS/CertificateManager",
                MetricName="DaysToExpiry",
                Dimensions=[{"Name": "CertificateArn", "Value": arn}],
                StartTime=noon,
                EndTime=noon + 3 * DAY,
                Period=3600,
                Statistics=["Minimum", "SampleCount"],
            )["Datapoints"]
            return sorted(points, key=lambda point: point["Timestamp"])

        for count, days in ((1, 198.0), (2, 197.0), (3, 197.0)):
            standing.advance("1m")
            points = eventually(measured, lambda points, count=count: len(points) == count)  # type: ignore[misc]
            assert (points[-1]["Minimum"], points[-1]["SampleCount"]) == (days, 1)
            standing.advance("12h")
