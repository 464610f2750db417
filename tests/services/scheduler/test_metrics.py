"""What Scheduler measures of itself, and that a moved clock of a real server runs schedules at once."""

from __future__ import annotations

from tests.own_metrics import total
from tests.services.scheduler.cloud import SchedulerCloud
from tests.standing import eventually, standing_server

_NAMESPACE = "AWS/Scheduler"


def test_a_group_tells_what_became_of_its_invocations() -> None:
    with standing_server() as standing:
        aws = standing.account()
        cloud = SchedulerCloud(aws)
        url, arn = cloud.queue()
        dead, dead_arn = cloud.queue("dead")
        cloud.scheduler.create_schedule_group(Name="g")
        gone = cloud.target(arn + "one", DeadLetterConfig={"Arn": dead_arn})
        nowhere = cloud.target(arn + "one", DeadLetterConfig={"Arn": dead_arn + "too"})
        daily = "rate(1 day)"
        cloud.schedule(daily, cloud.target(arn), name="works", GroupName="g")
        cloud.schedule("at(2030-03-13T12:00:00)", gone, name="fails", GroupName="g")
        cloud.schedule("at(2030-03-13T12:00:00)", nowhere, name="fails-twice")
        cloud.received(url)
        cloud.received(dead)
        standing.advance("1m")
        group = {"ScheduleGroup": "g"}
        eventually(lambda: total(aws, _NAMESPACE, "InvocationsFailedToBeSentToDeadLetterCount") == 1)
        assert eventually(lambda: total(aws, _NAMESPACE, "InvocationsSentToDeadLetterCount", **group)) == 1
        assert total(aws, _NAMESPACE, "InvocationAttemptCount", **group) == 2
        assert total(aws, _NAMESPACE, "TargetErrorCount", **group) == 1
        assert total(aws, _NAMESPACE, "InvocationDroppedCount") == 2
        standing.advance("24h")
        cloud.received(url)
