"""Pipes between queues, tables and more, over a real socket."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.queues import QueueCloud
from tests.roles import make_role
from tests.standing import eventually

_STATES = ("RUNNING", "STOPPED", "CREATE_FAILED", "START_FAILED", "UPDATE_FAILED")


class PipesCloud(QueueCloud):
    """Clients of one account, and what tests do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.pipes: Any = aws.client("pipes")
        self.role = make_role(aws)
        self.source, self.source_arn = self.queue("source")

    def hurry(self) -> None:
        """Have what fails of the source queue come again after a second."""
        self.sqs.set_queue_attributes(QueueUrl=self.source, Attributes={"VisibilityTimeout": "1"})

    def pipe(self, target: str, *, name: str = "p", source: str = "", **more: Any) -> str:
        """Create a pipe, from the source queue if nothing else is said, and wait until it runs; return its ARN."""
        given = {"Name": name, "Source": source or self.source_arn, "Target": target, "RoleArn": self.role, **more}
        arn: str = self.pipes.create_pipe(**given)["Arn"]
        assert self.settled(name)["CurrentState"] == more.get("DesiredState", "RUNNING")
        return arn

    def settled(self, name: str = "p") -> dict[str, Any]:
        """Return what is shown of a pipe once nothing is being done to it."""
        return eventually(lambda: self.pipes.describe_pipe(Name=name), lambda shown: shown["CurrentState"] in _STATES)

    def refused(self, target: str, **more: Any) -> tuple[str, str]:
        """Try to create a pipe; return the code and the message of the error."""
        given = {"Name": "p", "Source": self.source_arn, "Target": target, "RoleArn": self.role, **more}
        try:
            self.pipes.create_pipe(**given)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        raise AssertionError("the pipe was created")

    def send(self, body: Any, **more: Any) -> None:
        """Send a message to the source queue: a text, or what is to be JSON."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.source, MessageBody=text, **more)
