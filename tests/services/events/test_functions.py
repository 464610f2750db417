"""Functions as targets of rules."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.testing.server import Aws
from tests.modes import MODE
from tests.services.events.cloud import EventCloud
from tests.services.lambda_.cloud import FunctionCloud


def echoing(aws: Aws, destination: str, name: str = "f") -> str:
    """Create a function whose events a queue with an ARN is told of; return the function's ARN."""
    functions = FunctionCloud(aws)
    functions.function(name)
    told: Any = {"OnSuccess": {"Destination": destination}}
    functions.client.put_function_event_invoke_config(FunctionName=name, DestinationConfig=told)
    functions.client.add_permission(
        FunctionName=name, StatementId="rule", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
    )
    return functions.arn(name)


def test_a_function_gets_the_event(cloud: EventCloud, aws: Aws) -> None:
    url, arn = cloud.queue()
    function = echoing(aws, arn)
    cloud.rule({"Id": "1", "Arn": function}, {"Id": "2", "Arn": function, "InputPath": "$.detail"})
    answer = cloud.put({"n": 7})
    got = [each["requestPayload"] for each in cloud.bodies(url, 2)]
    assert {"n": 7} in got
    assert [event["id"] for event in got if "id" in event] == [answer["EventId"]]


def test_what_a_function_that_is_not_there_does_not_get_is_a_dead_letter(cloud: EventCloud, aws: Aws) -> None:
    url, arn = cloud.queue()
    function = f"arn:aws:lambda:us-east-1:{aws.account}:function:none"
    cloud.rule({"Id": "1", "Arn": function, "DeadLetterConfig": {"Arn": arn}})
    cloud.put({"n": 7})
    (letter,) = cloud.received(url)
    assert json.loads(letter["Body"])["detail"] == {"n": 7}
    # Where permissions are enforced, it has no policy that lets EventBridge in.
    expected = "NO_PERMISSIONS" if MODE == "strict" else "NO_RESOURCE"
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == expected
