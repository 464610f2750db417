"""What EventBridge measures of itself is found in CloudWatch, a minute after."""

from __future__ import annotations

from tests.own_metrics import total
from tests.services.events.cloud import EventCloud
from tests.standing import eventually, standing_server


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
        assert eventually(lambda: total(aws, "AWS/Events", "InvocationsSentToDlq", RuleName="r")) == 3
        assert eventually(lambda: total(aws, "AWS/Events", "Invocations", EventBusName="b", RuleName="r")) == 1
        assert total(aws, "AWS/Events", "Invocations", RuleName="r") == 6
        assert total(aws, "AWS/Events", "FailedInvocations", RuleName="r") == 3
        assert total(aws, "AWS/Events", "SuccessfulInvocationAttempts") == 4
