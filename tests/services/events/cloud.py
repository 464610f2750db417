"""EventBridge and queues to look into, over a real socket."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.testing.server import Aws

_WAIT_SECONDS = 20


class EventCloud:
    """Clients of one account, and what tests do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        self.account = aws.account
        self.events: Any = aws.client("events")
        self.sqs: Any = aws.client("sqs")
        self.sns: Any = aws.client("sns")

    def queue(self, name: str = "q", **attributes: str) -> tuple[str, str]:
        """Create a queue; return its URL and ARN."""
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        shown = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, shown["Attributes"]["QueueArn"]

    def rule(self, *targets: dict[str, Any], name: str = "r", pattern: Any = None, **more: Any) -> str:
        """Put a rule for events of the source "shop", or for what a pattern says, with targets; return its ARN."""
        text = json.dumps(pattern or {"source": ["shop"]})
        arn: str = self.events.put_rule(Name=name, EventPattern=text, **more)["RuleArn"]
        if targets:
            self.events.put_targets(Rule=name, Targets=list(targets), **more)
        return arn

    def put(self, detail: Any = None, **more: Any) -> Any:
        """Put an event; return what the answer says of it."""
        entry = {"Source": "shop", "DetailType": "order", "Detail": json.dumps(detail or {}), **more}
        (answer,) = self.events.put_events(Entries=[entry])["Entries"]
        return answer

    def received(self, url: str, count: int = 1) -> list[dict[str, Any]]:
        """Return so many messages of a queue, once they are there."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            answer = self.sqs.receive_message(
                QueueUrl=url, WaitTimeSeconds=_WAIT_SECONDS, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
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
