"""What pipes log of their executions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.pipes.cloud import PipesCloud
from tests.standing import eventually

_SUCCESS = ["EXECUTION_STARTED", "TARGET_STAGE_ENTERED", "TARGET_STAGE_SUCCEEDED", "EXECUTION_SUCCEEDED"]
_TRACE = [
    *_SUCCESS[:2],
    "TARGET_TRANSFORMATION_STARTED",
    "TARGET_TRANSFORMATION_SUCCEEDED",
    "TARGET_INVOCATION_STARTED",
    "TARGET_INVOCATION_SUCCEEDED",
    *_SUCCESS[2:],
]
_FAILURE = ["TARGET_INVOCATION_FAILED", "TARGET_STAGE_FAILED", "EXECUTION_FAILED"]


@pytest.mark.parametrize(
    ("level", "steps", "target"),
    [("INFO", _SUCCESS, "q"), ("TRACE", _TRACE, "q"), ("ERROR", _FAILURE, "nowhere")],
)
def test_a_pipe_logs_its_steps(cloud: PipesCloud, level: str, steps: list[str], target: str) -> None:
    logs = cloud.aws.client("logs")
    logs.create_log_group(logGroupName="g")
    cloud.queue()
    log = {
        "Level": level,
        "CloudwatchLogsLogDestination": {"LogGroupArn": f"arn:aws:logs:us-east-1:{cloud.account}:log-group:g"},
        "IncludeExecutionData": ["ALL"],
    }
    own = cloud.pipe(
        f"arn:aws:sqs:us-east-1:{cloud.account}:{target}",
        LogConfiguration=log,
        TargetParameters={"InputTemplate": "<$.body>"},
    )
    assert cloud.pipes.describe_pipe(Name="p")["LogConfiguration"] == log
    cloud.send("hello")

    def records() -> list[dict[str, Any]]:
        found = logs.get_log_events(logGroupName="g", logStreamName="p", startFromHead=True)["events"]
        return [json.loads(event["message"]) for event in found]

    eventually(lambda: logs.describe_log_streams(logGroupName="g")["logStreams"])
    told = eventually(records, lambda seen: len(seen) >= len(steps))[: len(steps)]
    assert [record["messageType"] for record in told] == steps
    assert len({record["executionId"] for record in told}) == 1
    assert {(record["resourceArn"], record["logLevel"]) for record in told} == {(own, level)}
    if level == "ERROR":
        assert "does not exist" in told[0]["error"]["message"]
    else:
        assert json.loads(told[0]["payload"])[0]["body"] == "hello"


def test_logs_of_other_kinds_and_without_a_place_are_refused(cloud: PipesCloud) -> None:
    _, arn = cloud.queue()
    bucket = {"BucketName": "bucket", "BucketOwner": cloud.account}
    assert cloud.refused(arn, LogConfiguration={"Level": "INFO"})[0] == "ValidationException"
    assert cloud.refused(arn, LogConfiguration={"Level": "INFO", "S3LogDestination": bucket})[0] == "NotImplemented"
