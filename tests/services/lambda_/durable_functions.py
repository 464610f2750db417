"""Durable functions, as AWS's SDK for Python makes them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from tests.services.lambda_.cloud import FunctionCloud, package
from tests.standing import eventually

_SDK = "aws_durable_execution_sdk_python"
_ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED")
ORDER = """
from aws_durable_execution_sdk_python import durable_execution, durable_step
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

@durable_step
def reserve(step, item):
    return {"reserved": item}

@durable_step
def pay(step):
    if step.attempt < 2:
        raise ValueError("no money")
    return step.attempt

@durable_execution
def handler(event, context):
    if event.get("fails"):
        raise ValueError(event["fails"])
    told = context.step(reserve(event["item"]), name="reserve")
    if "seconds" in event:
        context.wait(Duration.from_seconds(event["seconds"]), name="rest")
    if event.get("pays"):
        told["paid"] = context.step(pay(), name="pay")
    if event.get("asks"):
        config = CallbackConfig(timeout=Duration.from_hours(2), heartbeat_timeout=Duration.from_minutes(30))
        told["answer"] = context.create_callback(name="ask", config=config).result()
    if event.get("calls"):
        told["called"] = context.invoke(event["calls"], event["with"], name="call")
    return told
"""


def make(cloud: FunctionCloud, name: str = "order", source: str = ORDER, seconds: int = 900, **more: Any) -> None:
    """Create a durable function whose executions may take so long."""
    spec = importlib.util.find_spec(_SDK)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    files = {str(file.relative_to(folder.parent)): file.read_text() for file in folder.rglob("*.py")}
    code = {"ZipFile": package({**files, "index.py": source})}
    cloud.function(name, Code=code, DurableConfig={"ExecutionTimeout": seconds}, Timeout=60, **more)


def get(cloud: FunctionCloud, arn: str) -> dict[str, Any]:
    return dict(cloud.client.get_durable_execution(DurableExecutionArn=arn))


def list_events(cloud: FunctionCloud, arn: str) -> list[dict[str, Any]]:
    """Return the history of an execution."""
    pages = cloud.client.get_paginator("get_durable_execution_history").paginate(DurableExecutionArn=arn)
    return [event for page in pages for event in page["Events"]]


def list_kinds(cloud: FunctionCloud, arn: str) -> list[str]:
    return [event["EventType"] for event in list_events(cloud, arn)]


def find_event(cloud: FunctionCloud, arn: str, kind: str) -> dict[str, Any]:
    """Return the first event of a kind, once it is there."""
    found = eventually(lambda: [each for each in list_events(cloud, arn) if each["EventType"] == kind])
    return found[0]


def wait_for_rest(cloud: FunctionCloud, arn: str, kind: str, count: int = 1) -> None:
    """Wait until something has happened so often, and the function does not run any more."""

    def rests() -> bool:
        kinds = list_kinds(cloud, arn)
        return kinds.count(kind) >= count and kinds[-1] == "InvocationCompleted"

    eventually(rests)


def wait_for_end(cloud: FunctionCloud, arn: str) -> dict[str, Any]:
    """Wait until an execution has ended, and return it."""
    return eventually(lambda: get(cloud, arn), lambda execution: execution["Status"] in _ENDED)
