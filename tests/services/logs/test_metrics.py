"""What CloudWatch Logs measures of itself is found in CloudWatch, a minute after."""

from __future__ import annotations

import datetime
import json
from functools import partial
from operator import eq
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.kernel.service import Result
from tests.own_metrics import total
from tests.services.logs.conftest import ACCOUNT, REGION, Call, LocalLogs
from tests.standing import NOON, eventually, standing_server

_NOON = int(datetime.datetime.fromisoformat(NOON).timestamp() * 1000)


def test_what_came_is_counted() -> None:
    with standing_server() as standing:
        aws = standing.account()
        logs: Any = aws.client("logs")
        about = {"Timestamp": _NOON, "CloudWatchMetrics": [{"Namespace": "n", "Dimensions": [["no"]], "Metrics": []}]}
        broken = {"Timestamp": "now", "CloudWatchMetrics": []}
        for name in ("g", "h"):
            logs.create_log_group(logGroupName=name)
            logs.create_log_stream(logGroupName=name, logStreamName="s")
            for messages in (["1234", "56ä"], [json.dumps({"_aws": broken})], [json.dumps({"_aws": about})]):
                events = [{"timestamp": _NOON, "message": message} for message in messages]
                old = {"timestamp": 5, "message": "rejected"}
                logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=[old, *events])
        size = 8 + len(json.dumps({"_aws": broken})) + len(json.dumps({"_aws": about}))

        def told(metric: str, of: dict[str, str]) -> float | None:
            # Embedded metrics are looked for when the answer is out.
            standing.advance("1m")
            return total(aws, "AWS/Logs", metric, **of)

        for metric, group, counted in (
            ("IncomingLogEvents", None, 8),
            ("IncomingLogEvents", "g", 4),
            ("IncomingBytes", "h", size),
            ("IncomingBytes", None, 2 * size),
            ("EMFParsingErrors", "g", 1),
            ("EMFValidationErrors", "h", 1),
        ):
            of = {} if group is None else {"LogGroupName": group}
            eventually(partial(told, metric, of), partial(eq, counted))


def test_what_went_to_subscribers_is_counted(local: LocalLogs) -> None:
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"

    def answer(call: Call) -> Result:
        if len(local.cloud.calls) == 2:
            raise AwsError("TooManyRequestsException", "later")
        if len(local.cloud.calls) == 4:
            raise AwsError("ResourceNotFoundException", "gone")
        return {}

    local.cloud.played["lambda"] = answer
    local.call("CreateLogGroup", logGroupName="g")
    local.call("CreateLogStream", logGroupName="g", logStreamName="s")
    local.call("PutSubscriptionFilter", logGroupName="g", filterName="f", filterPattern="", destinationArn=function)
    events = [{"timestamp": local.millis, "message": "m"}] * 3
    local.call("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=events)
    local.until(lambda: len(local.cloud.calls) == 2)
    local.advance(2)
    local.until(lambda: len(local.cloud.calls) == 3)
    local.advance(0)
    local.call("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=events[:1])
    local.until(lambda: len(local.cloud.calls) == 4)
    local.advance(120)

    def sums(metric: str) -> list[float]:
        dimensions = {"LogGroupName": "g", "DestinationType": "Lambda", "FilterName": "f"}
        return [
            point["Sum"]
            for point in local.call(
                "GetMetricStatistics",
                service="cloudwatch",
                Namespace="AWS/Logs",
                MetricName=metric,
                Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
                StartTime=local.clock.now() - 3600,
                EndTime=local.clock.now() + 60,
                Period=86400,
                Statistics=["Sum"],
            )["Datapoints"]
        ]

    for _ in range(100):
        if sums("DeliveryErrors"):
            break
        local.advance(0)
    assert sums("ForwardedLogEvents") == [3]
    assert sums("DeliveryThrottling") == [3]
    assert sums("DeliveryErrors") == [1]
    assert sums("ForwardedBytes")[0] > 100
