"""The operations on scaling policies."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.application_autoscaling import (
    alarming,
    deciding,
    dimensions,
    errors,
    paging,
    scaling,
    stepping,
    tracking,
)
from cloudlet.services.application_autoscaling.api_targets import get_target
from cloudlet.services.application_autoscaling.block import service
from cloudlet.services.application_autoscaling.dimensions import Session
from cloudlet.services.application_autoscaling.place import Place
from cloudlet.services.application_autoscaling.records import POLICIES, TRIGGERS, Policy, Target, Trigger

_MAX_POLICIES: Final = 50
"""Policies of a scalable target ("Quotas for Application Auto Scaling")."""
_MAX_PAGE_POLICIES: Final = 10
_ARN: Final = re.compile(r"arn:[^:]+:autoscaling:[^:]+:\d+:scalingPolicy:[^:]+:resource/([^/]+)/(.+?):policyName/(.+)")
_CONFIGURATIONS: Final = {
    deciding.STEP: "StepScalingPolicyConfiguration",
    deciding.TRACKING: "TargetTrackingScalingPolicyConfiguration",
}


@service.direct("PutScalingPolicy")
async def put_scaling_policy(ctx: Context, params: Params) -> Result:
    """Put a policy, and its alarms; where CloudWatch refuses these, it is as it was."""
    place = Place.make(ctx, params)
    dimensions.get_dimension(place)
    target, before, policy = await ctx.transact(lambda tx: _put(ctx, tx, place, params))
    if policy.alarms:
        session = Session(ctx.block, place, target.role)
        try:
            capacity = (await dimensions.observe(session)).capacity
            if alarming.is_behind(policy, capacity):
                policy = await alarming.put_alarms(session, policy, capacity)
        except AwsError:
            await ctx.transact(lambda tx: _restore(tx, target, before, policy))
            raise
    return {"PolicyARN": policy.arn, "Alarms": _show_alarms(policy)}


async def _put(ctx: Context, tx: Transaction, place: Place, params: Params) -> tuple[Target, Policy | None, Policy]:
    """Save a policy; return it with its target, and as it was before."""
    target = await get_target(tx, place)
    found = await POLICIES.find(tx, *place, params["PolicyName"])
    kind = params.get("PolicyType") or (deciding.STEP if found is None else found.kind)
    if found is not None and found.kind != kind:
        raise errors.make_validation(f"Policy type cannot be changed from {found.kind} to {kind}.")
    config = _check_config(place, kind, params)
    others = [policy for policy in await POLICIES.list(tx, *place) if policy.name != params["PolicyName"]]
    if len(others) >= _MAX_POLICIES:
        raise errors.make_limit_exceeded(f"A scalable target can have {_MAX_POLICIES} scaling policies at most.")
    if kind == deciding.TRACKING and any(
        policy.kind == kind and tracking.has_same_metric(policy.config, config) for policy in others
    ):
        raise errors.make_validation(
            "Only one TargetTrackingScaling policy for a given metric specification is allowed."
        )
    now = ctx.now()
    known = {} if found is None else found.alarms
    needed = tracking.make_alarm_names(place, config) if kind == deciding.TRACKING else {}
    alarms = {role: known.get(role, name) for role, name in needed.items()}
    created = Policy(place, params["PolicyName"], uuid4(), kind, config, now, now, alarms)
    policy = created if found is None else replace(found, config=config, modified=now, alarms=alarms, alarmed_at=None)
    if found is not None and found.alarms:
        alarming.abandon(tx, found, target.role, kept=alarms.values())
    POLICIES.save(tx, policy)
    scaling.request(tx, place)
    return target, found, policy


async def _restore(tx: Transaction, target: Target, before: Policy | None, policy: Policy) -> None:
    """Leave a policy as it was before, and have its new alarms deleted."""
    if await POLICIES.find(tx, *policy.key) != policy:
        return
    alarming.abandon(tx, policy, target.role, kept=() if before is None else before.alarms.values())
    if before is None:
        POLICIES.remove(tx, policy)
    else:
        POLICIES.save(tx, replace(before, alarmed_at=None))
    scaling.request(tx, policy.place)


def _check_config(place: Place, kind: str, params: Params) -> dict[str, Any]:
    """Return the configuration that a request has for a type of policies. Raises AwsError."""
    if kind not in _CONFIGURATIONS or params.get("PredictiveScalingPolicyConfiguration"):
        raise errors.make_not_built("predictive scaling policies")
    if kind == deciding.STEP and not dimensions.get_dimension(place).has_step_scaling:
        raise errors.make_validation(f"Policy type {kind} is not supported for service namespace {place.namespace}.")
    name = _CONFIGURATIONS[kind]
    if any(params.get(other) for other in _CONFIGURATIONS.values() if other != name):
        raise errors.make_validation(f"Only {name} can be specified for policy type {kind}.")
    given = params.get(name)
    if given is None:
        raise errors.make_validation(f"{name} is required for policy type {kind}.")
    config = {key: value for key, value in given.items() if value is not None}
    if kind == deciding.STEP:
        stepping.check(config)
    else:
        tracking.check(place, config)
    return config


@service.operation("DeleteScalingPolicy")
async def delete_scaling_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = Place.make(ctx, params)
    found = await POLICIES.find(tx, *place, params["PolicyName"])
    if found is None:
        raise errors.make_no_policy(place, params["PolicyName"])
    alarming.abandon(tx, found, (await get_target(tx, place)).role)
    POLICIES.remove(tx, found)
    scaling.request(tx, place)
    return {}


@service.direct("DescribeScalingPolicies")
async def describe_scaling_policies(ctx: Context, params: Params) -> Result:
    """Show policies, with the alarms that CloudWatch has for those of step scaling."""
    names = params.get("PolicyNames")
    if params.get("ScalableDimension") and not params.get("ResourceId"):
        raise errors.make_validation("If you specify a scalable dimension, you must also specify a resource ID.")

    def show(policy: Policy) -> dict[str, Any] | None:
        if names and policy.name not in names:
            return None
        return {
            **policy.place.show(),
            "PolicyARN": policy.arn,
            "PolicyName": policy.name,
            "PolicyType": policy.kind,
            _CONFIGURATIONS[policy.kind]: policy.config,
            "Alarms": _show_alarms(policy),
            "CreationTime": policy.created,
        }

    shown, following = await ctx.transact(
        lambda tx: paging.list_page(ctx, tx, params, POLICIES, show, _MAX_PAGE_POLICIES)
    )
    for policy in (each for each in shown if each["PolicyType"] == deciding.STEP):
        found = await ctx.call("cloudwatch", "DescribeAlarms", {"ActionPrefix": policy["PolicyARN"]}) or {}
        alarms = found.get("MetricAlarms") or ()
        policy["Alarms"] = [{"AlarmName": each["AlarmName"], "AlarmARN": each["AlarmArn"]} for each in alarms]
    return {"ScalingPolicies": shown, "NextToken": following}


def _show_alarms(policy: Policy) -> list[dict[str, str]]:
    """Return the alarms of a policy that are there."""
    if policy.alarmed_at is None:
        return []
    account, region, *_ = policy.place
    prefix = f"arn:{partition_of(region)}:cloudwatch:{region}:{account}:alarm"
    return [{"AlarmName": name, "AlarmARN": f"{prefix}:{name}"} for name in policy.alarms.values()]


@service.operation("ExecuteScalingPolicy")
async def execute_scaling_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Take what an alarm, whose action a policy is, tells of its metric."""
    arn = params["PolicyARN"]
    named = _ARN.fullmatch(arn)
    found = [] if named is None else await POLICIES.list(tx, ctx.account, ctx.region, named[1], named[2])
    policy = next((policy for policy in found if policy.arn == arn), None)
    if policy is None:
        raise AwsError("ObjectNotFoundException", f"No scaling policy found with ARN {arn}")
    alarm, values = params["AlarmName"], params.get("Values") or []
    own = {name: role for role, name in policy.alarms.items()}.get(alarm)
    if policy.kind == deciding.STEP or own in (tracking.HIGH, tracking.LOW):
        if not values:
            raise errors.make_validation(f"The metric of alarm {alarm} has no datapoints to scale by.")
        TRIGGERS.save(tx, Trigger(policy.place, policy.name, alarm, params["State"], params["Threshold"], values))
    elif own is None:
        raise errors.make_validation(f"Alarm {alarm} is not one of policy {policy.name}, which has alarms of its own.")
    scaling.request(tx, policy.place)
    return {}
