"""Performs the actions of alarms: it publishes to topics and invokes functions, through their APIs.

An action is tried again while the other block is unavailable; whatever else it answers stands in the alarm's history,
as on AWS.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.core.block import Block
from cloudlet.core.identity import Principal
from cloudlet.core.lease import Lease
from cloudlet.core.moments import notified
from cloudlet.services.cloudwatch import alarm_events, history, notices, outbox
from cloudlet.services.cloudwatch.alarm import Alarm
from cloudlet.services.cloudwatch.outbox import Action

_AT_ONCE = 50
_TRIES = 8
_FIRST_PAUSE_SECONDS = 0.1
_UNAVAILABLE = 500
_NOT_BUILT = 501


async def act(block: Block, lease: Lease) -> None:
    """Perform what is put into the outbox, for ever."""
    async with notified(block, outbox.TOPIC) as event:
        while True:
            event.clear()
            actions = await block.store.transact(lambda tx: outbox.first(tx, _AT_ONCE))
            if not actions:
                await event.wait()
                continue
            await lease.hold()
            async with asyncio.TaskGroup() as group:
                for action in actions:
                    group.create_task(_perform(block, action))


async def _perform(block: Block, action: Action) -> None:
    told: dict[str, Any] = {"actionState": "Succeeded", "notificationResource": action.arn}
    summary = f"Successfully executed action {action.arn}"
    try:
        told["publishedMessage"] = await _call(block, action)
    except AwsError as error:
        summary = f'Failed to execute action {action.arn}. Received error: "{error.message}"'
        told |= {"actionState": "Failed", "error": error.message}
    told["stateUpdateTimestamp"] = int(action.alarm.updated * 1000)

    async def settle(tx: Transaction) -> None:
        outbox.remove(tx, action)
        history.note(tx, action.alarm, "Action", summary, told, block.clock.now())

    await block.store.transact(settle)


async def _call(block: Block, action: Action) -> Any:
    """Perform an action and return what was told. Raises AwsError."""
    pause = _FIRST_PAUSE_SECONDS
    for number in range(_TRIES):
        try:
            return await _tell(block, action)
        except AwsError as error:
            if (error.status or 0) < _UNAVAILABLE or error.status == _NOT_BUILT or number == _TRIES - 1:
                raise
        await asyncio.sleep(pause)
        pause *= 2
    return None


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
        raise AwsError("NotImplemented", f"Cloudlet does not implement actions of {target.service}.", status=_NOT_BUILT)
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
