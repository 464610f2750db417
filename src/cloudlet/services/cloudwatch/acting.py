"""Performs the actions of alarms: on topics, functions and scaling policies.

An action is tried again while the other block is unavailable, for a day; whatever else it answers stands in the
alarm's history, as on AWS. A scaling policy is invoked again each minute while the alarm stays in its state.
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
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudwatch import alarm as alarms
from cloudlet.services.cloudwatch import alarm_data, alarm_events, history, mute_rule, notices, outbox
from cloudlet.services.cloudwatch.alarm import COMPOSITE, Alarm
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.changing import ACTIONS
from cloudlet.services.cloudwatch.outbox import Action

_AT_ONCE = 50
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 60.0
_GIVEN_UP_SECONDS = 86_400
_REPEATED_SECONDS = 60.0


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
            return
        if not action.is_repeated:
            history.note(tx, action.alarm, "Action", summary, told, block.clock.now())
        repeated = await _repeat(tx, action, block.clock.now())
        if repeated is not None:
            outbox.save(tx, repeated)

    await block.store.transact(settle)


def _again(action: Action, error: AwsError, now: float) -> Action | None:
    """Return what is to be tried again, and when, after an error at `now` (s); None where that makes no sense."""
    if not is_transient(error.code, error.status) or now - action.time > _GIVEN_UP_SECONDS:
        return None
    attempts = action.attempts + 1
    due = now + compute_back_off(attempts, first=_FIRST_PAUSE_SECONDS, longest=_LONGEST_PAUSE_SECONDS)
    return replace(action, attempts=attempts, due=int(due * 1000))


def _is_scaling_policy(arn: Arn) -> bool:
    """Whether an action is a policy of Application Auto Scaling, and not EC2's."""
    return arn.service == "autoscaling" and ":resource/" in arn.resource


async def _repeat(tx: Transaction, action: Action, now: float) -> Action | None:
    """Return a scaling policy's next invocation, while the alarm stays as it is.

    User guide, "Alarm actions": it is invoked each minute that the alarm remains in its state.
    """
    if not _is_scaling_policy(Arn.parse(action.arn)):
        return None
    before = action.alarm
    alarm = await alarms.find(tx, before.account, before.region, before.name)
    if (
        alarm is None
        or (alarm.state, alarm.transitioned) != (before.state, before.transitioned)
        or not alarm.config.get("ActionsEnabled", True)
        or action.arn not in (alarm.config.get(ACTIONS[alarm.state]) or ())
    ):
        return None
    due = now + _REPEATED_SECONDS
    until = await mute_rule.muted_until(tx, alarm.account, alarm.region, alarm.name, due)
    due = max(due, until or 0.0)
    return replace(action, id=uuid4(), alarm=alarm, time=due, attempts=0, due=int(due * 1000), is_repeated=True)


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
    elif _is_scaling_policy(target):
        message = await _describe_metric(block, action)
        await _ask(block, "cloudwatch.amazonaws.com", target, "ExecuteScalingPolicy", message, alarm)
    else:
        raise AwsError("NotImplemented", f"Cloudlet does not implement actions of {target.service}.", status=501)
    return message


async def _describe_metric(block: Block, action: Action) -> dict[str, Any]:
    """Return the datapoints that an alarm is evaluated by now, for a scaling policy."""
    alarm = action.alarm
    if alarm.kind == COMPOSITE:
        raise AwsError("ValidationException", "A composite alarm cannot invoke scaling policies.")
    asker = Asker(block.store, alarm.account, alarm.region, block.clock.now())
    found = (await alarm_data.datapoints(asker, alarm)).values
    values = [value for value in found if value is not None][-alarm.config["EvaluationPeriods"] :]
    return {
        "PolicyARN": action.arn,
        "AlarmName": alarm.name,
        "State": alarm.state,
        "Threshold": alarm.config["Threshold"],
        "Values": values,
    }


async def _ask(block: Block, principal: str, target: Arn, operation: str, params: dict[str, Any], alarm: Alarm) -> None:
    """Call the service of an action as AWS's alarms do. Raises AwsError.

    User guide, "Invoke a Lambda function from an alarm": the policies of functions name a principal of its own.
    """
    await block.cloud.call(
        "application-autoscaling" if _is_scaling_policy(target) else target.service,
        operation,
        params,
        principal=Principal("service", target.account, principal, block.service.name),
        account=target.account,
        region=target.region,
        source_arn=alarm.arn,
    )
