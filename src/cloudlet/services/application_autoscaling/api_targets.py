"""The operations on scalable targets, their tags and their activities."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Subspace, Transaction
from cloudlet.core.authorization import catalog, resource_policy
from cloudlet.core.authorization.condition_keys import list_request_keys
from cloudlet.core.authorization.role_session import check_role
from cloudlet.core.aws import tag_operations, tags
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.ids import token
from cloudlet.services.application_autoscaling import (
    activities,
    alarming,
    dimensions,
    errors,
    paging,
    scaling,
    scheduling,
)
from cloudlet.services.application_autoscaling.block import service
from cloudlet.services.application_autoscaling.dimensions import Session
from cloudlet.services.application_autoscaling.place import Place
from cloudlet.services.application_autoscaling.records import (
    ACTIVITIES,
    POLICIES,
    SCHEDULED_ACTIONS,
    TARGETS,
    TRIGGERS,
    Activity,
    Target,
)

_BY_ID: Final = Subspace("target-id")
"""The places of targets, by account, region and id: ARNs have nothing else."""
_ID_LENGTH: Final = 36
_SUSPENSIONS: Final = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


@service.direct("RegisterScalableTarget")
async def register_scalable_target(ctx: Context, params: Params) -> Result | FinalTransaction:
    place = Place.make(ctx, params)
    dimensions.get_dimension(place)
    role = params.get("RoleARN")
    if role is None:
        role = dimensions.make_role_arn(place)
        await _ensure_role(ctx, place, role)
    else:
        _check_role(ctx, role)
    found = await ctx.transact(lambda tx: TARGETS.find(tx, *place))
    if found is None:
        _check_bounds(place, params.get("MinCapacity"), params.get("MaxCapacity"))
        await dimensions.observe(Session(ctx.block, place, role))
    return FinalTransaction(lambda tx: _register(ctx, tx, params, role))


async def _register(ctx: Context, tx: Transaction, params: Params, role: str) -> Result:
    place = Place.make(ctx, params)
    found = await TARGETS.find(tx, *place)
    minimum, maximum = params.get("MinCapacity"), params.get("MaxCapacity")
    given = params.get("Tags")
    if found is None:
        _check_bounds(place, minimum, maximum)
        id = token(_ID_LENGTH, "0123456789abcdef")
        target = Target(place, id, params["MinCapacity"], params["MaxCapacity"], role, ctx.now())
        tx.put(_BY_ID.key(ctx.account, ctx.region, target.id), b"")
        tags.save(tx, target.arn, tags.merge({}, given, errors.make_validation))
    else:
        if given:
            raise errors.make_validation(
                "The scalable target that you tried to tag already exists. To update tags on an existing scalable "
                "target, use the TagResource API."
            )
        target = replace(
            found,
            minimum=found.minimum if minimum is None else minimum,
            maximum=found.maximum if maximum is None else maximum,
            role=role if params.get("RoleARN") else found.role,
        )
        _check_bounds(place, target.minimum, target.maximum)
    suspended = {**target.suspended, **(params.get("SuspendedState") or {})}
    TARGETS.save(tx, replace(target, suspended=suspended, cause="the scalable target was registered"))
    scaling.request(tx, place)
    return {"ScalableTargetARN": target.arn}


def _check_role(ctx: Context, role: str) -> None:
    try:
        check_role(ctx.account, role)
    except ValueError:
        raise errors.make_validation(f"Invalid RoleARN: {role}") from None


async def _ensure_role(ctx: Context, place: Place, role: str) -> None:
    """Have the service-linked role made, by the caller's permissions, where it is not there."""
    try:
        await ctx.call("iam", "GetRole", {"RoleName": role.rpartition("/")[2]})
    except AwsError as error:
        if error.code not in ("NoSuchEntity", "NoSuchEntityException"):
            raise
        principal = f"{place.namespace}.application-autoscaling.amazonaws.com"
        await ctx.call_as_caller("iam", "CreateServiceLinkedRole", {"AWSServiceName": principal})


def _check_bounds(place: Place, minimum: int | None, maximum: int | None) -> None:
    if minimum is None or maximum is None:
        raise errors.make_validation("MinCapacity and MaxCapacity are required to register a new scalable target.")
    least = dimensions.get_dimension(place).min_capacity
    if minimum < least:
        raise errors.make_validation(f"Minimum capacity cannot be less than {least}")
    if maximum < minimum:
        raise errors.make_validation("Maximum capacity cannot be less than minimum capacity")


async def get_target(tx: Transaction, place: Place) -> Target:
    """Return a scalable target. Raises ObjectNotFoundException."""
    found = await TARGETS.find(tx, *place)
    if found is None:
        raise errors.make_no_target(place)
    return found


async def _authorize_removal(ctx: Context, tx: Transaction, place: Place, params: Params) -> None:
    """Raise AwsError unless the caller may deregister what is at a place, if anything."""
    if not ctx.strict:
        return
    found = await TARGETS.find(tx, *place)
    arn = (
        found.arn
        if found
        else f"arn:{partition_of(ctx.region)}:application-autoscaling:{ctx.region}:{ctx.account}:scalable-target/*"
    )
    own = await tags.load(tx, arn)
    rule = catalog.find("application-autoscaling", "DeregisterScalableTarget")
    keys = {**list_request_keys(rule, params), **{f"aws:ResourceTag/{key}": value for key, value in own.items()}}
    resource_policy.authorize(ctx, rule.actions[0], arn, ctx.account, None, lambda: keys)


@service.operation("DeregisterScalableTarget")
async def deregister_scalable_target(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = Place.make(ctx, params)
    await _authorize_removal(ctx, tx, place, params)
    target = await get_target(tx, place)
    for policy in await POLICIES.list(tx, *place):
        alarming.abandon(tx, policy, target.role)
        POLICIES.remove(tx, policy)
    for action in await SCHEDULED_ACTIONS.list(tx, *place):
        scheduling.leave(tx, action)
        SCHEDULED_ACTIONS.remove(tx, action)
    for trigger in await TRIGGERS.list(tx, *place):
        TRIGGERS.remove(tx, trigger)
    activity = await activities.find_key(tx, target.activity)
    if activity is not None:
        activities.move(tx, activity, "Unfulfilled", ctx.now(), "the scalable target was deregistered.")
    TARGETS.remove(tx, target)
    tx.delete(_BY_ID.key(ctx.account, ctx.region, target.id))
    tags.save(tx, target.arn, {})
    scaling.request(tx, place)
    return {}


@service.operation("DescribeScalableTargets")
async def describe_scalable_targets(ctx: Context, tx: Transaction, params: Params) -> Result:
    wanted = params.get("ResourceIds")
    _check_dimension(params, wanted)

    def show(target: Target) -> dict[str, Any] | None:
        if wanted and target.place.resource not in wanted:
            return None
        return {
            **target.place.show(),
            "MinCapacity": target.minimum,
            "MaxCapacity": target.maximum,
            "RoleARN": target.role,
            "CreationTime": target.created,
            "SuspendedState": {name: target.suspended.get(name, False) for name in _SUSPENSIONS},
            "ScalableTargetARN": target.arn,
        }

    shown, following = await paging.list_page(ctx, tx, params, TARGETS, show)
    return {"ScalableTargets": shown, "NextToken": following}


@service.operation("DescribeScalingActivities")
async def describe_scaling_activities(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_dimension(params, params.get("ResourceId"))
    has_unscaled = params.get("IncludeNotScaledActivities")

    def show(activity: Activity) -> dict[str, Any] | None:
        if activity.reasons and not has_unscaled:
            return None
        return {
            "ActivityId": activity.id,
            **activity.place.show(),
            "Description": activity.description,
            "Cause": activity.cause,
            "StartTime": activity.started,
            "EndTime": activity.ended,
            "StatusCode": activity.state,
            "StatusMessage": activity.message or None,
            "NotScaledReasons": activity.reasons or None,
        }

    shown, following = await paging.list_page(ctx, tx, params, ACTIVITIES, show)
    return {"ScalingActivities": shown, "NextToken": following}


def _check_dimension(params: Params, resources: Any) -> None:
    """Raise ValidationException for a dimension without a resource (API Reference)."""
    if params.get("ScalableDimension") and not resources:
        raise errors.make_validation("If you specify a scalable dimension, you must also specify a resource ID.")


async def _check_arn(ctx: Context, tx: Transaction, arn: str) -> None:
    """Raise ResourceNotFoundException for an ARN of no scalable target of the caller's."""
    _, _, _, region, account, resource = arn.split(":", 5)
    id = resource.rpartition("/")[2]
    if (account, region) != (ctx.account, ctx.region) or await tx.get(_BY_ID.key(account, region, id)) is None:
        raise errors.make_no_resource(arn)


tag_operations.declare(service, _check_arn, errors.make_validation, errors.make_too_many_tags, are_mapped=True)
