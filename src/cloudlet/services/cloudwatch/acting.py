"""Performs the actions of alarms: it publishes to topics and invokes functions, through their APIs.

An action is tried again while the other block is unavailable, for a day; whatever else it answers stands in the
alarm's history, as on AWS.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from msgspec.structs import replace

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.core.background.jobs import start_timers
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import compute_back_off, is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.cloudwatch import alarm_events, history, notices, outbox
from cloudlet.services.cloudwatch.alarm import Alarm
from cloudlet.services.cloudwatch.outbox import Action

_AT_ONCE = 50
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 60.0
_GIVEN_UP_SECONDS = 86_400


async def act(block: Block, lease: Lease) -> None:
    """Perform what is put into the outbox, for ever. What is slow or is tried again holds up nothing else."""
    await start_timers(
        block, lease, outbox.TOPIC, outbox.first, "the action", partial(_perform, block), at_once=_AT_ONCE
    )


async def _perform(block: Block, due: int, id: str) -> None:
    """Perform an action, and write down what became of it."""
    action = await block.store.transact(lambda tx: outbox.find(tx, due, id))
    if action is None:
        return
    told: dict[str, Any] = {"actionState": "Succeeded", "notificationResource": action.arn}
    summary = f"Successfully executed action {action.arn}"
    again = None
    try:
        told["publishedMessage"] = await _tell(block, action)
    except AwsError as error:
        again = _again(action, error, block.clock.now())
        summary = f'Failed to execute action {action.arn}. Received error: "{error.message}"'
        told |= {"actionState": "Failed", "error": error.message}
    told["stateUpdateTimestamp"] = int(action.alarm.updated * 1000)

    async def settle(tx: Transaction) -> None:
        outbox.remove(tx, action)
        if again is not None:
            outbox.save(tx, again)
        else:
            history.note(tx, action.alarm, "Action", summary, told, block.clock.now())

    await block.store.transact(settle)


def _again(action: Action, error: AwsError, now: float) -> Action | None:
    """Return what is to be tried again, and when, after an error at `now` (s); None where that makes no sense."""
    if not is_transient(error.code, error.status) or now - action.time > _GIVEN_UP_SECONDS:
        return None
    attempts = action.attempts + 1
    due = now + compute_back_off(attempts, first=_FIRST_PAUSE_SECONDS, longest=_LONGEST_PAUSE_SECONDS)
    return replace(action, attempts=attempts, due=int(due * 1000))


async def _tell(block: Block, action: Action) -> Any:
    target = Arn.parse(action.arn)
    alarm = action.alarm
    if target.service == "sns":
        message = notices.message(action)
        params: dict[str, Any] = {
            "TopicArn": action.arn,
            "Subject": notices.subject(alarm),
            "Message": json.dumps(message),
        }
        await _ask(block, "cloudwatch.amazonaws.com", target, "Publish", params, alarm)
    elif target.service == "lambda":
        message = alarm_events.for_function(action)
        params = {"FunctionName": action.arn, "InvocationType": "Event", "Payload": json.dumps(message).encode()}
        await _ask(block, "lambda.alarms.cloudwatch.amazonaws.com", target, "Invoke", params, alarm)
    else:
        raise AwsError("NotImplemented", f"Cloudlet does not implement actions of {target.service}.", status=501)
    return message


async def _ask(block: Block, principal: str, target: Arn, operation: str, params: dict[str, Any], alarm: Alarm) -> None:
    """Call the service of an action as AWS's alarms do. Raises AwsError.

    User guide, "Invoke a Lambda function from an alarm": the policies of functions name a principal of its own.
    """
    await block.cloud.call(
        target.service,
        operation,
        params,
        principal=Principal("service", target.account, principal, block.service.name),
        account=target.account,
        region=target.region,
        source_arn=alarm.arn,
    )
