"""EventBridge and queues to look into, over a real socket."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.testing.server import Aws
from tests.queues import QueueCloud


class EventCloud(QueueCloud):
    """Clients of one account, and what tests do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.events: Any = aws.client("events")
        self.sns: Any = aws.client("sns")

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
