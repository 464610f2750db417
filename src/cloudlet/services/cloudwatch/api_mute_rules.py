"""The operations on alarm mute rules."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.cloudwatch import alarm as alarms
from cloudlet.services.cloudwatch import errors, mute_rule
from cloudlet.services.cloudwatch.block import service
from cloudlet.services.cloudwatch.mute_rule import MuteRule
from cloudlet.services.cloudwatch.schedule import ScheduleProblem

_PAGE = 50


@service.operation("PutAlarmMuteRule")
async def put_alarm_mute_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    described = params["Rule"]["Schedule"]
    targets = list(dict.fromkeys((params.get("MuteTargets") or {}).get("AlarmNames") or ()))
    starts, expires = params.get("StartDate"), params.get("ExpireDate")
    if starts is not None and expires is not None and starts >= expires:
        raise errors.validation("The parameter StartDate must be before the parameter ExpireDate.")
    for name in targets:
        if await alarms.find(tx, ctx.account, ctx.region, name) is None:
            raise errors.validation(f"The alarm {name} in MuteTargets does not exist.")
    rule = MuteRule(
        ctx.account,
        ctx.region,
        params["Name"],
        params.get("Description"),
        described["Expression"],
        described["Duration"],
        described.get("Timezone"),
        targets,
        starts,
        expires,
        ctx.now(),
    )
    try:
        rule.schedule  # noqa: B018 - reading it checks it
    except ScheduleProblem as problem:
        raise errors.validation(f"The schedule of the rule is invalid: {problem}.") from None
    before = await mute_rule.find(tx, ctx.account, ctx.region, rule.name)
    if before is None:
        tags.save(tx, rule.arn, tags.merge({}, params.get("Tags"), errors.invalid_value))
    else:
        mute_rule.remove(tx, before)
        await _look_again(tx, before, ctx.now())
    mute_rule.save(tx, rule)
    return None


async def _look_again(tx: Transaction, rule: MuteRule, now: float) -> None:
    """Have the alarms that a rule may have muted evaluated: what it held back may be due."""
    for name in rule.targets:
        alarm = await alarms.find(tx, rule.account, rule.region, name)
        if alarm is not None and alarm.muted:
            alarms.schedule(tx, alarm, int(now * 1000))
            alarms.save(tx, alarm)


@service.operation("GetAlarmMuteRule")
async def get_alarm_mute_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    rule = await mute_rule.get(tx, ctx.account, ctx.region, params["AlarmMuteRuleName"])
    return {
        "Name": rule.name,
        "AlarmMuteRuleArn": rule.arn,
        "Description": rule.description,
        "Rule": rule.shown_rule,
        "MuteTargets": {"AlarmNames": rule.targets} if rule.targets else None,
        **_summary(rule, ctx.now()),
        "StartDate": rule.starts,
    }


def _summary(rule: MuteRule, now: float) -> dict[str, Any]:
    return {
        "AlarmMuteRuleArn": rule.arn,
        "ExpireDate": rule.expires,
        "Status": rule.status(now),
        "MuteType": rule.mute_type,
        "LastUpdatedTimestamp": rule.updated,
    }


@service.operation("DeleteAlarmMuteRule")
async def delete_alarm_mute_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    rule = await mute_rule.find(tx, ctx.account, ctx.region, params["AlarmMuteRuleName"])
    if rule is not None:
        mute_rule.remove(tx, rule)
        tags.save(tx, rule.arn, {})
        await _look_again(tx, rule, ctx.now())
    return None


@service.operation("ListAlarmMuteRules")
async def list_alarm_mute_rules(ctx: Context, tx: Transaction, params: Params) -> Result:
    most, statuses, target = params.get("MaxRecords", _PAGE), params.get("Statuses"), params.get("AlarmName")
    now = ctx.now()

    def summary(rule: MuteRule) -> dict[str, Any] | None:
        wanted = (target is None or target in rule.targets) and (not statuses or rule.status(now) in statuses)
        return _summary(rule, now) if wanted else None

    found, token = await mute_rule.page(ctx, tx, params.get("NextToken"), most, summary)
    return {"AlarmMuteRuleSummaries": found, "NextToken": token}
