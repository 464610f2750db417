"""What Pipes measures of itself."""

from __future__ import annotations

from tests.own_metrics import total
from tests.services.pipes.cloud import PipesCloud
from tests.standing import eventually, standing_server

_NAMESPACE = "AWS/EventBridge/Pipes"


def test_a_pipe_tells_what_it_did() -> None:
    with standing_server() as standing:
        aws = standing.account()
        cloud = PipesCloud(aws)
        url, arn = cloud.queue()
        cloud.pipe(arn, name="works")
        for _ in range(3):
            cloud.send("x")
        cloud.received(url, 3)
        cloud.pipes.delete_pipe(Name="works")
        eventually(lambda: cloud.pipes.list_pipes()["Pipes"], lambda pipes: not pipes)
        cloud.pipe(arn + "one", name="fails")
        cloud.send("x")
        eventually(lambda: cloud.in_flight(cloud.source) == 1)
        cloud.pipes.stop_pipe(Name="fails")
        cloud.settled("fails")
        standing.advance("1m")
        works, fails = {"PipeName": "works"}, {"PipeName": "fails"}
        assert eventually(lambda: total(aws, _NAMESPACE, "EventCount", **works)) == 3
        assert total(aws, _NAMESPACE, "ExecutionFailed", **works) == 0
        assert total(aws, _NAMESPACE, "EventSize", **works)
        for metric in ("Invocations", "ExecutionFailed", "TargetStageFailed"):
            assert total(aws, _NAMESPACE, metric, **fails) == 1
