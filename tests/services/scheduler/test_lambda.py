"""Functions of Lambda that are run by schedules."""

from __future__ import annotations

from tests.services.lambda_.cloud import FunctionCloud
from tests.services.scheduler.cloud import SchedulerCloud


def test_a_function_is_invoked_with_the_input(cloud: SchedulerCloud) -> None:
    functions = FunctionCloud(cloud.aws)
    functions.function()
    url, arn = cloud.queue()
    functions.client.put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    own = cloud.schedule(
        "at(2020-01-01T00:00:00)", cloud.target(functions.arn(), Input='{"by": "<aws.scheduler.schedule-arn>"}')
    )
    (told,) = cloud.bodies(url)
    assert told["responsePayload"] == {"by": own}
    assert cloud.refused("rate(1 day)", cloud.target(functions.arn(), Input="{"), name="t")[0] == "ValidationException"
