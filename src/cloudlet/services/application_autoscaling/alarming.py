"""The alarms of target tracking policies, in CloudWatch.

They are put and deleted by the scalable target's role.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.application_autoscaling import tracking
from cloudlet.services.application_autoscaling.dimensions import Session
from cloudlet.services.application_autoscaling.records import (
    ABANDONED_ACTIONS,
    ABANDONED_ALARMS,
    POLICIES,
    AbandonedAction,
    AbandonedAlarm,
    Policy,
)

_SESSION: Final = "AutoScaling-ManageAlarms"
_logger: Final = logging.getLogger("cloudlet.application-autoscaling")
_ACTIONS: Final = ("OKActions", "AlarmActions", "InsufficientDataActions")
_SETTINGS: Final = (
    "AlarmName",
    "AlarmDescription",
    "ActionsEnabled",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
)
"""The members of DescribeAlarms that PutMetricAlarm takes, beside actions."""
_MAX_NAMES: Final = 100
"""Alarms that one call can be about (CloudWatch's API Reference)."""


def is_behind(policy: Policy, capacity: int | None) -> bool:
    """Whether a policy's alarms are not those that it needs at a capacity."""
    if not policy.alarms:
        return False
    if tracking.follows_capacity(policy):
        return capacity is not None and policy.alarmed_at != capacity
    return policy.alarmed_at is None


async def put_alarms(session: Session, policy: Policy, capacity: int | None) -> Policy:
    """Put the alarms of a policy, and return it as it is then. Raises AwsError."""
    for role in policy.alarms:
        params = tracking.make_alarm(policy, role, capacity or 0)
        await session.call("cloudwatch", "PutMetricAlarm", params, _SESSION)
    put = replace(policy, alarmed_at=capacity or 0)

    async def save(tx: Transaction) -> None:
        if await POLICIES.find(tx, *policy.key) == policy:
            POLICIES.save(tx, put)

    await session.block.store.transact(save)
    return put


async def is_each_low(session: Session, policies: Iterable[Policy]) -> bool:
    """Whether all target tracking policies that scale in are ready to. Raises AwsError."""
    names = [policy.alarms[tracking.LOW] for policy in policies if tracking.LOW in policy.alarms]
    for begin in range(0, len(names), _MAX_NAMES):
        some = names[begin : begin + _MAX_NAMES]
        params = {"AlarmNames": some, "AlarmTypes": ["MetricAlarm"], "StateValue": "ALARM"}
        found = await session.call("cloudwatch", "DescribeAlarms", params, _SESSION)
        if len(found.get("MetricAlarms") or ()) < len(some):
            return False
    return True


def abandon(tx: Transaction, policy: Policy, role: str, kept: Iterable[str] = ()) -> None:
    """Have the alarms of a policy deleted that it does not need any more."""
    if not policy.alarms:
        ABANDONED_ACTIONS.save(tx, AbandonedAction(policy.place, policy.arn, role))
    for name in set(policy.alarms.values()) - set(kept):
        ABANDONED_ALARMS.save(tx, AbandonedAlarm(policy.place, name, role))


async def delete_abandoned(block: Block, abandoned: list[AbandonedAlarm]) -> None:
    """Delete alarms that no policy has any more. Raises AwsError."""
    for alarm in abandoned:
        await _attempt(_delete_alarm(Session(block, alarm.place, alarm.role), alarm.name), f"the alarm {alarm.name}")

        async def forget(tx: Transaction, alarm: AbandonedAlarm = alarm) -> None:
            ABANDONED_ALARMS.remove(tx, alarm)

        await block.store.transact(forget)


async def remove_abandoned_actions(block: Block, abandoned: list[AbandonedAction]) -> None:
    """Take policies that are gone out of the actions of alarms. Raises AwsError."""
    for action in abandoned:
        removal = _remove_action(Session(block, action.place, action.role), action.arn)
        await _attempt(removal, f"the action {action.arn} of alarms")

        async def forget(tx: Transaction, action: AbandonedAction = action) -> None:
            ABANDONED_ACTIONS.remove(tx, action)

        await block.store.transact(forget)


async def _delete_alarm(session: Session, name: str) -> None:
    found = await session.call("cloudwatch", "DescribeAlarms", {"AlarmNames": [name]}, _SESSION)
    if found.get("MetricAlarms"):
        await session.call("cloudwatch", "DeleteAlarms", {"AlarmNames": [name]}, _SESSION)


async def _remove_action(session: Session, arn: str) -> None:
    """Take a policy out of the actions of all alarms."""
    found = await session.call("cloudwatch", "DescribeAlarms", {"ActionPrefix": arn}, _SESSION)
    for alarm in found.get("MetricAlarms") or ():
        kept = {kind: [each for each in alarm.get(kind) or () if each != arn] for kind in _ACTIONS}
        settings = {name: alarm[name] for name in _SETTINGS if alarm.get(name) is not None}
        await session.call("cloudwatch", "PutMetricAlarm", {**settings, **kept}, _SESSION)


async def _attempt(removal: Coroutine[Any, Any, None], what: str) -> None:
    """Remove something, or leave it where the target's role may not.

    Scaling does not wait for it. Raises AwsError for what may pass.
    """
    try:
        await removal
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        _logger.warning("%s is left: %s", what, error.message)
