"""Which alarms and which of their history a request asks for. API reference, "DescribeAlarms" and the like."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.services.cloudwatch import alarm as alarms
from cloudlet.services.cloudwatch import errors, history
from cloudlet.services.cloudwatch.alarm import COMPOSITE, METRIC, Alarm
from cloudlet.services.cloudwatch.changing import ACTIONS
from cloudlet.services.cloudwatch.metric import dimensions_of

MOST_SHOWN = 100
_LOOKED_AT = 200
_HIDDEN = ("Children",)


def to_api(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as the API shows it."""
    config = {name: value for name, value in alarm.config.items() if name not in _HIDDEN}
    for kind in ACTIONS.values():
        config.setdefault(kind, [])
    config.setdefault("ActionsEnabled", True)
    if alarm.kind == METRIC and "Metrics" not in config:
        config.setdefault("Dimensions", [])
    return {
        **config,
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "AlarmConfigurationUpdatedTimestamp": alarm.configured,
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateReasonData": alarm.reason_data,
        "StateUpdatedTimestamp": alarm.updated,
        "StateTransitionedTimestamp": alarm.transitioned,
        **_suppression(alarm),
    }


def _suppression(alarm: Alarm) -> dict[str, Any]:
    if alarm.kind != COMPOSITE or not alarm.suppressed_by:
        return {}
    return {"ActionsSuppressedBy": alarm.suppressed_by, "ActionsSuppressedReason": alarm.suppressed_reason}


async def describe(ctx: Context, params: Params) -> Result:
    """Return a page of alarms: by names, by a prefix, or by how they depend on each other."""
    related = [name for name in ("ChildrenOfAlarmName", "ParentsOfAlarmName") if name in params]
    if related:
        return await ctx.transact(lambda tx: _related(ctx, tx, related[0], params))
    kinds = params.get("AlarmTypes") or [METRIC]
    if "AlarmNames" in params:
        if "AlarmNamePrefix" in params:
            raise errors.validation("The parameters AlarmNames and AlarmNamePrefix are mutually exclusive.")
        named = await ctx.transact(lambda tx: _named(ctx, tx, dict.fromkeys(params["AlarmNames"])))
        return _by_kind([alarm for alarm in named if _wanted(alarm, kinds, params)])
    most = params.get("MaxRecords", MOST_SHOWN)
    prefix = params.get("AlarmNamePrefix", "")
    after = page_tokens.parse_name_token(params.get("NextToken"), errors.invalid_token())
    found: list[Alarm] = []
    while True:
        rows = await _page(ctx, prefix, after)
        for alarm in rows:
            if _wanted(alarm, kinds, params):
                if len(found) == most:
                    return {**_by_kind(found), "NextToken": page_tokens.make_page_token(after.encode())}
                found.append(alarm)
            after = alarm.name
        if len(rows) < _LOOKED_AT:
            return _by_kind(found)


def _wanted(alarm: Alarm, kinds: list[str], params: Params) -> bool:
    if alarm.kind not in kinds or params.get("StateValue", alarm.state) != alarm.state:
        return False
    prefix = params.get("ActionPrefix")
    return prefix is None or any(
        action.startswith(prefix) for kind in ACTIONS.values() for action in alarm.config.get(kind) or ()
    )


def _by_kind(found: list[Alarm], *, brief: bool = False) -> dict[str, Any]:
    def described(alarm: Alarm) -> dict[str, Any]:
        whole = to_api(alarm)
        names = ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp", "StateTransitionedTimestamp")
        return {name: whole[name] for name in names} if brief else whole

    return {
        "MetricAlarms": [described(alarm) for alarm in found if alarm.kind == METRIC],
        "CompositeAlarms": [described(alarm) for alarm in found if alarm.kind == COMPOSITE],
    }


async def _page(ctx: Context, prefix: str, after: str) -> list[Alarm]:
    """Return alarms that begin with a prefix, after a name: others have their turn before there are more."""
    return await ctx.transact(lambda tx: alarms.page(tx, ctx.account, ctx.region, prefix, after, _LOOKED_AT))


async def _named(ctx: Context, tx: Transaction, names: Iterable[str]) -> list[Alarm]:
    """Return the alarms of some names that are there."""
    found = [await alarms.find(tx, ctx.account, ctx.region, name) for name in names]
    return [alarm for alarm in found if alarm is not None]


async def _related(ctx: Context, tx: Transaction, by: str, params: Params) -> Result:
    """Return a page of the alarms that are in the rule of another one, or have it in theirs, in the order of names."""
    if set(params) - {by, "MaxRecords", "NextToken"}:
        raise errors.validation(f"The parameter {by} cannot be combined with others than MaxRecords and NextToken.")
    most = params.get("MaxRecords", MOST_SHOWN)
    after = page_tokens.parse_name_token(params.get("NextToken"), errors.invalid_token())
    alarm = await alarms.find(tx, ctx.account, ctx.region, params[by])
    if alarm is None:
        return _by_kind([])
    is_parent = by == "ChildrenOfAlarmName"
    related = alarm.children if is_parent else await alarms.parents(tx, ctx.account, ctx.region, alarm.name, "rule")
    found = await _named(ctx, tx, sorted(name for name in related if name > after))
    token = page_tokens.make_page_token(found[most - 1].name.encode()) if len(found) > most else None
    return {**_by_kind(found[:most], brief=True), "NextToken": token}


async def for_metric(ctx: Context, params: Params) -> Result:
    """Return the alarms on a metric."""
    dimensions = dimensions_of(params.get("Dimensions"))
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        rows = await _page(ctx, "", after)
        for alarm in rows:
            after = alarm.name
            config = alarm.config
            names = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Unit")
            if (
                alarm.kind == METRIC
                and all(config.get(name) == params[name] for name in names if name in params)
                and dimensions_of(config.get("Dimensions")) == dimensions
            ):
                found.append(to_api(alarm))
        if len(rows) < _LOOKED_AT:
            return {"MetricAlarms": found}


async def describe_history(ctx: Context, params: Params) -> Result:
    """Return a page of the history of alarms."""
    if "AlarmContributorId" in params:
        raise errors.not_built("contributors of alarms (AlarmContributorId)")
    most = params.get("MaxRecords", MOST_SHOWN)
    descending = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    now = ctx.now()
    begin = int(max(params.get("StartDate", 0.0), now - history.KEPT_SECONDS) * 1000)
    end = int(params.get("EndDate", now + 1) * 1000) + 1
    name, kinds, wanted = params.get("AlarmName"), params.get("AlarmTypes") or [METRIC], params.get("HistoryItemType")
    after = page_tokens.parse_page_token(params.get("NextToken"), errors.invalid_token())
    found: list[dict[str, Any]] = []
    while True:

        async def body(tx: Transaction, after: bytes = after) -> list[tuple[bytes, history.HistoryItem]]:
            return await history.page(
                tx, ctx.account, ctx.region, name, begin, end, after, _LOOKED_AT, descending=descending
            )

        rows = await ctx.transact(body)
        for key, item in rows:
            if (name is not None or item.kind in kinds) and wanted in (None, item.type):
                if len(found) == most:
                    return {"AlarmHistoryItems": found, "NextToken": page_tokens.make_page_token(after)}
                found.append(_item(item))
            after = key
        if len(rows) < _LOOKED_AT:
            return {"AlarmHistoryItems": found}


def _item(item: history.HistoryItem) -> dict[str, Any]:
    return {
        "AlarmName": item.name,
        "AlarmType": item.kind,
        "Timestamp": item.time / 1000,
        "HistoryItemType": item.type,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }


def described_config(alarm: Alarm) -> dict[str, Any]:
    """Return the settings of an alarm as its history has them."""
    config = {name[0].lower() + name[1:]: value for name, value in alarm.config.items() if name not in _HIDDEN}
    return json.loads(json.dumps({"alarmName": alarm.name, "alarmArn": alarm.arn, **config}))  # type: ignore[no-any-return]
