"""What EventBridge measures of itself is found in CloudWatch, a minute after."""

from __future__ import annotations

import datetime
from typing import Any

from cloudlet.testing.server import Aws
from tests.services.events.cloud import EventCloud
from tests.standing import NOON, eventually, standing_server


def total(aws: Aws, metric: str, **dimensions: str) -> float | None:
    """Return the sum of a metric, or None where there is none."""
    noon = datetime.datetime.fromisoformat(NOON)
    points: list[dict[str, Any]] = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Events",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=noon - datetime.timedelta(hours=1),
        EndTime=noon + datetime.timedelta(hours=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points) if points else None


def test_a_rule_tells_how_often_its_targets_were_invoked() -> None:
    with standing_server() as standing:
        aws = standing.account()
        cloud = EventCloud(aws)
        url, arn = cloud.queue()
        dead, dead_arn = cloud.queue("dead")
        gone = {"Id": "2", "Arn": arn + "one", "DeadLetterConfig": {"Arn": dead_arn}}
        cloud.rule({"Id": "1", "Arn": arn}, gone)
        cloud.events.create_event_bus(Name="b")
        cloud.rule({"Id": "1", "Arn": arn}, EventBusName="b")
        for _ in range(3):
            cloud.put()
        cloud.put(EventBusName="b")
        cloud.received(url, 4)
        cloud.received(dead, 3)
        standing.advance("1m")
        assert eventually(lambda: total(aws, "InvocationsSentToDlq", RuleName="r")) == 3
        assert eventually(lambda: total(aws, "Invocations", EventBusName="b", RuleName="r")) == 1
        assert total(aws, "Invocations", RuleName="r") == 6
        assert total(aws, "FailedInvocations", RuleName="r") == 3
        assert total(aws, "SuccessfulInvocationAttempts") == 4
