"""awslogs, which follows log groups in a terminal."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import BOTO3
from tests.e2e.conftest import MakeClient


@pytest.fixture
def logs(aws: Aws) -> Any:
    """A client of CloudWatch Logs, where there is the stream `web` in the group `shop`."""
    client = aws.client("logs")
    client.create_log_group(logGroupName="shop")
    client.create_log_stream(logGroupName="shop", logStreamName="web")
    return client


def say(logs: Any, *messages: str) -> None:
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": message} for message in messages]
    logs.put_log_events(logGroupName="shop", logStreamName="web", logEvents=events)


def test_groups_streams_and_what_is_filtered(client: MakeClient, logs: Any) -> None:
    awslogs = client(str(BOTO3 / "awslogs"))
    say(logs, '{"total": 5}', '{"total": 50}', "noise")
    assert awslogs.run("groups") == "shop\n"
    assert awslogs.run("streams", "shop") == "web\n"
    assert awslogs.run("get", "shop", "w.*", "-f", "{ $.total > 10 }", "-q", "total") == "shop web 50\n"


def test_a_group_is_followed(client: MakeClient, logs: Any) -> None:
    say(logs, "the first order")
    awslogs = client(str(BOTO3 / "awslogs"), PYTHONUNBUFFERED="1")
    with awslogs.running("get", "shop", "web", "--watch", "-i", "1") as printed:
        assert printed.readline() == b"shop web the first order\n"
        say(logs, "another order")
        assert printed.readline() == b"shop web another order\n"
