"""Scheduler and queues to look into, over a real socket."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws

_WAIT_SECONDS = 20
OFF = {"Mode": "OFF"}


class SchedulerCloud:
    """Clients of one account, and what tests do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.account = aws.account
        self.scheduler: Any = aws.client("scheduler")
        self.sqs: Any = aws.client("sqs")
        self.role = f"arn:aws:iam::{aws.account}:role/r"

    def queue(self, name: str = "q", **attributes: str) -> tuple[str, str]:
        """Create a queue; return its URL and ARN."""
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:{self.account}:{name}"

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

    def received(self, url: str, count: int = 1) -> list[dict[str, Any]]:
        """Return so many messages of a queue, once they are there."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            answer = self.sqs.receive_message(
                QueueUrl=url,
                WaitTimeSeconds=_WAIT_SECONDS,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            assert messages, f"only {len(found)} messages came"
            for message in messages:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found += messages
        return found

    def bodies(self, url: str, count: int = 1) -> list[Any]:
        """Return the JSON of so many messages of a queue, once they are there."""
        return [json.loads(message["Body"]) for message in self.received(url, count)]

    def held(self, url: str) -> int:
        """Return how many messages a queue has that nobody has received."""
        shown = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(shown["Attributes"]["ApproximateNumberOfMessages"])
