"""Scheduler and queues to look into, over a real socket."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.queues import QueueCloud
from tests.roles import make_role

OFF = {"Mode": "OFF"}


class SchedulerCloud(QueueCloud):
    """Clients of one account, and what tests do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.scheduler: Any = aws.client("scheduler")
        self.role = make_role(aws)

    def target(self, arn: str, **more: Any) -> dict[str, Any]:
        return {"Arn": arn, "RoleArn": self.role, **more}

    def schedule(self, expression: str, target: dict[str, Any], name: str = "s", **more: Any) -> str:
        """Create a schedule; return its ARN."""
        arn: str = self.scheduler.create_schedule(
            **{"Name": name, "ScheduleExpression": expression, "Target": target, "FlexibleTimeWindow": OFF, **more}
        )["ScheduleArn"]
        return arn

    def refused(self, expression: str, target: dict[str, Any], **more: Any) -> tuple[str, str]:
        """Try to create a schedule; return the code and the message of the error."""
        try:
            self.schedule(expression, target, **more)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        raise AssertionError("the schedule was created")

    def names(self, **more: Any) -> list[str]:
        return [each["Name"] for each in self.scheduler.list_schedules(**more)["Schedules"]]
