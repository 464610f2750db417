"""What is sent to a dead-letter queue. User guide, "Configuring a schedule's dead-letter queue"."""

from __future__ import annotations

from cloudlet.core import Arn, iso8601
from cloudlet.core.block import Block
from cloudlet.services.scheduler import payload, target
from cloudlet.services.scheduler.firing import Firing


def attributes(firing: Firing, code: str, message: str, condition: str) -> dict[str, str]:
    """Return what the message says of a firing that is given up; `condition` is the end of the policy, if it was."""
    told = {
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message or code,
        "EXECUTION_ID": firing.id,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(firing.attempts),
        "SCHEDULED_TIME": iso8601.second(firing.scheduled // 1000),
        "SCHEDULE_ARN": firing.schedule,
        "TARGET_ARN": firing.target["Arn"],
    }
    if condition:
        told["EXHAUSTED_RETRY_CONDITION"] = condition
    return told


async def send(block: Block, firing: Firing, told: dict[str, str]) -> None:
    """Send a firing that is given up to the dead-letter queue. Raises Failed."""
    queue = Arn.parse(firing.target["DeadLetterConfig"]["Arn"])
    message = {
        "MessageBody": payload.of(firing),
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in told.items()},
    }
    await target.send(block, firing, queue, message)
