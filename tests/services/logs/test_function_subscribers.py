"""Subscription filters deliver to real functions."""

from __future__ import annotations

import time
from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import python
from tests.standing import eventually

_PRINT = """
import base64, gzip
data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
print(data["messageType"], data["logGroup"], *(one["message"] for one in data["logEvents"]))
"""


def printed(logs: Any) -> list[str]:
    """Return what the function has written into its own log group."""
    if not logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/f")["logGroups"]:
        return []
    found = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="DATA_MESSAGE")["events"]
    return [one["message"].strip() for one in found]


def test_a_function_gets_what_matches(logs: Any, aws: Aws) -> None:
    cloud = FunctionCloud(aws)
    python(cloud, _PRINT)
    cloud.client.add_permission(
        FunctionName="f", StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com"
    )
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    subscribed = {"logGroupName": "g", "filterName": "f", "filterPattern": "ERROR"}
    missing = "InvalidParameterException"
    assert code_of(logs.put_subscription_filter, **subscribed, destinationArn=cloud.arn("none")) == missing
    logs.put_subscription_filter(**subscribed, destinationArn=cloud.arn())
    at = int(time.time() * 1000)
    events = [{"timestamp": at, "message": message} for message in ("ERROR one", "fine", "ERROR two")]
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)

    assert eventually(lambda: printed(logs)) == ["DATA_MESSAGE g ERROR one ERROR two"]
    own = {**subscribed, "logGroupName": "/aws/lambda/f", "destinationArn": cloud.arn()}
    assert code_of(logs.put_subscription_filter, **own) == "InvalidParameterException"
