"""The operations on alarms."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import service_events, tags
from cloudlet.services.cloudwatch import alarm as alarms
from cloudlet.services.cloudwatch import (
    alarm_check,
    alarm_data,
    alarm_events,
    alarm_lists,
    changing,
    errors,
    history,
    reasons,
    suppressing,
)
from cloudlet.services.cloudwatch.alarm import COMPOSITE, METRIC, MOST_PARENTS, MOST_SUPPRESSED, Alarm, Kind
from cloudlet.services.cloudwatch.block import service


async def _put(ctx: Context, tx: Transaction, params: Params, kind: Kind, config: dict[str, Any]) -> Alarm:
    """Create or change an alarm, and have it evaluated soon."""
    now = ctx.now()
    alarm = await alarms.find(tx, ctx.account, ctx.region, params["AlarmName"])
    if alarm is None:
        name = params["AlarmName"]
        alarm = Alarm(
            ctx.account, ctx.region, name, kind, config, now, "INSUFFICIENT_DATA", reasons.CREATED, None, now, now
        )
        tags.save(tx, alarm.arn, tags.merge({}, params.get("Tags"), errors.invalid_value))
        created = {**alarm_lists.described_config(alarm), "stateValue": alarm.state}
        data = {"type": "Create", "version": "1.0", "createdAlarm": created}
        history.note(tx, alarm, "ConfigurationUpdate", f'Alarm "{name}" created', data, now)
        service_events.add(tx, alarm.account, alarm.region, alarm_events.configuration_change(alarm, "create", now))
    else:
        if alarm.kind != kind:
            raise errors.validation(f"An alarm of another type has the name {alarm.name}.")
        alarms.unlink(tx, alarm)
        if alarm.config.get("ActionsSuppressor") != config.get("ActionsSuppressor"):
            # User guide: a suppressor that is replaced takes its waiting periods with it.
            suppressing.end(alarm)
        _update(tx, alarm, config, now)
    alarms.link(tx, alarm)
    alarms.schedule(tx, alarm, int(now * 1000))
    alarms.save(tx, alarm)
    return alarm


def _update(tx: Transaction, alarm: Alarm, config: dict[str, Any], now: float) -> None:
    """Change the settings of an alarm; it is to be saved after that."""
    before = (alarm.config, alarm.configured)
    alarm.config, alarm.configured = config, now
    data = {"type": "Update", "version": "1.0", "updatedAlarm": alarm_lists.described_config(alarm)}
    history.note(tx, alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" updated', data, now)
    service_events.add(tx, alarm.account, alarm.region, alarm_events.configuration_change(alarm, "update", now, before))


@service.operation("PutMetricAlarm")
async def put_metric_alarm(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _put(ctx, tx, params, METRIC, alarm_check.metric_alarm(ctx, params))
    return None


@service.operation("PutCompositeAlarm")
async def put_composite_alarm(ctx: Context, tx: Transaction, params: Params) -> Result:
    config = alarm_check.composite_alarm(params)
    unknown = [name for name in config["Children"] if not await _is_there(ctx, tx, name, params)]
    if unknown:
        raise errors.validation(
            f"Could not save the composite alarm as alarms [{', '.join(unknown)}] in the alarm rule do not exist"
        )
    suppressor = config.get("ActionsSuppressor")
    if suppressor is not None and not await _is_there(ctx, tx, alarms.name_of(suppressor), params):
        raise errors.validation(
            f"Could not save the composite alarm as alarm {suppressor} in the actions suppressor does not exist"
        )
    await _put(ctx, tx, params, COMPOSITE, config)
    for name in dict.fromkeys([*config["Children"], *([] if suppressor is None else [alarms.name_of(suppressor)])]):
        await _check_parents(ctx, tx, name)
    return None


async def _check_parents(ctx: Context, tx: Transaction, name: str) -> None:
    """Raise AwsError where too many composite alarms depend on an alarm."""
    for role, most, said in (("rule", MOST_PARENTS, "in the rules of"), ("suppressor", MOST_SUPPRESSED, "to suppress")):
        if len(await alarms.parents(tx, ctx.account, ctx.region, name, role)) > most:
            raise AwsError("LimitExceeded", f"The alarm {name} can be {said} {most} composite alarms at most.")


async def _is_there(ctx: Context, tx: Transaction, name: str, params: Params) -> bool:
    return name == params["AlarmName"] or await alarms.find(tx, ctx.account, ctx.region, name) is not None


@service.operation("DeleteAlarms")
async def delete_alarms(ctx: Context, tx: Transaction, params: Params) -> Result:
    named = dict.fromkeys(params["AlarmNames"])
    found = [alarm for name in named if (alarm := await alarms.find(tx, ctx.account, ctx.region, name)) is not None]
    if sum([alarm.kind == COMPOSITE for alarm in found]) > 1:
        raise errors.validation("Only one composite alarm can be deleted at a time.")
    for alarm in found:
        if await alarms.parents(tx, ctx.account, ctx.region, alarm.name):
            raise errors.validation(f"Cannot delete {alarm.name} as there are composite alarm(s) depending on it.")
    now = ctx.now()
    for alarm in found:
        alarms.remove(tx, alarm)
        tags.save(tx, alarm.arn, {})
        data = {"type": "Delete", "version": "1.0", "deletedAlarm": alarm_lists.described_config(alarm)}
        history.note(tx, alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" deleted', data, now)
        service_events.add(tx, alarm.account, alarm.region, alarm_events.configuration_change(alarm, "delete", now))
    return None


@service.operation("SetAlarmState")
async def set_alarm_state(ctx: Context, tx: Transaction, params: Params) -> Result:
    alarm = await alarms.find(tx, ctx.account, ctx.region, params["AlarmName"])
    if alarm is None:
        raise AwsError("ResourceNotFound", f"Alarm {params['AlarmName']} does not exist")
    data = params.get("StateReasonData")
    if data is not None:
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            raise AwsError("InvalidFormatFault", "StateReasonData is not valid JSON") from None
    now = ctx.now()
    if alarm.kind == METRIC and alarm.due == int(alarm.configured * 1000):
        # It is new, or has just been changed: what is set lasts until the first evaluation on the minute.
        alarms.schedule(tx, alarm, alarm_data.next_due(alarm, now))
    await changing.change(tx, alarm, params["StateValue"], params["StateReason"], data, now)
    alarms.save(tx, alarm)
    return None


async def _enable(ctx: Context, tx: Transaction, params: Params, enabled: bool) -> None:
    for name in params["AlarmNames"]:
        alarm = await alarms.find(tx, ctx.account, ctx.region, name)
        if alarm is not None and alarm.config.get("ActionsEnabled", True) != enabled:
            _update(tx, alarm, {**alarm.config, "ActionsEnabled": enabled}, ctx.now())
            alarms.save(tx, alarm)


@service.operation("EnableAlarmActions")
async def enable_alarm_actions(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _enable(ctx, tx, params, True)
    return None


@service.operation("DisableAlarmActions")
async def disable_alarm_actions(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _enable(ctx, tx, params, False)
    return None


service.direct("DescribeAlarms")(alarm_lists.describe)
service.direct("DescribeAlarmsForMetric")(alarm_lists.for_metric)
service.direct("DescribeAlarmHistory")(alarm_lists.describe_history)
