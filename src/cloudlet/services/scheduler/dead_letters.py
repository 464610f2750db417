"""What is sent to a dead-letter queue. User guide, "Configuring a schedule's dead-letter queue"."""

from __future__ import annotations

from cloudlet.core import Arn
from cloudlet.core.aws import iso8601
from cloudlet.core.kernel.block import Block
from cloudlet.services.scheduler import payload, target
from cloudlet.services.scheduler.firing import Firing


def told(firing: Firing) -> dict[str, str]:
    """Return what the message says of a firing that is given up, beside why it is."""
    return {
        "EXECUTION_ID": firing.id,
        "IS_PAYLOAD_TRUNCATED": "false",
        "SCHEDULED_TIME": iso8601.second(firing.scheduled // 1000),
        "SCHEDULE_ARN": firing.schedule,
    }


async def send(block: Block, firing: Firing, attributes: dict[str, str]) -> None:
    """Send a firing that is given up to the dead-letter queue. Raises Failed."""
    queue = Arn.parse(firing.target["DeadLetterConfig"]["Arn"])
    message = {
        "MessageBody": payload.of(firing),
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }
    await target.send(block, firing, queue, message)
