"""The operations on scheduled actions."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.application_autoscaling import errors, paging, scheduling, timing
from cloudlet.services.application_autoscaling.api_targets import get_target
from cloudlet.services.application_autoscaling.block import service
from cloudlet.services.application_autoscaling.dimensions import get_dimension
from cloudlet.services.application_autoscaling.place import Place
from cloudlet.services.application_autoscaling.records import SCHEDULED_ACTIONS, ScheduledAction

_MAX_ACTIONS: Final = 200
"""Scheduled actions of a scalable target ("Quotas for Application Auto Scaling")."""


@service.operation("PutScheduledAction")
async def put_scheduled_action(ctx: Context, tx: Transaction, params: Params) -> Result:
    place, name, now = Place.make(ctx, params), params["ScheduledActionName"], ctx.now()
    await get_target(tx, place)
    found = await SCHEDULED_ACTIONS.find(tx, *place, name)
    if found is None and len(await SCHEDULED_ACTIONS.list(tx, *place)) >= _MAX_ACTIONS:
        raise errors.make_limit_exceeded(f"A scalable target can have {_MAX_ACTIONS} scheduled actions at most.")
    expression = params.get("Schedule") or (found.expression if found is not None else None)
    if expression is None:
        raise errors.make_validation("Schedule is required to create a scheduled action.")
    minimum, maximum = _get_capacities(params.get("ScalableTargetAction"), found)
    least = get_dimension(place).min_capacity
    if any(capacity is not None and capacity < least for capacity in (minimum, maximum)):
        raise errors.make_validation(f"Minimum capacity cannot be less than {least}")
    action = ScheduledAction(
        place,
        name,
        uuid4() if found is None else found.id,
        expression,
        params.get("Timezone") or ("UTC" if found is None else found.zone),
        params.get("StartTime"),
        params.get("EndTime"),
        minimum,
        maximum,
        now if found is None else found.created,
        now,
    )
    timing.check(action, now)
    if found is not None:
        scheduling.leave(tx, found)
    scheduling.enter(tx, action, now)
    return {}


def _get_capacities(given: dict[str, Any] | None, found: ScheduledAction | None) -> tuple[int | None, int | None]:
    """Return the minimum and the maximum that an action sets. Raises ValidationException."""
    if given is None:
        if found is None:
            raise errors.make_validation("ScalableTargetAction is required to create a scheduled action.")
        return found.minimum, found.maximum
    minimum, maximum = given.get("MinCapacity"), given.get("MaxCapacity")
    if minimum is None and maximum is None:
        raise errors.make_validation("ScalableTargetAction must have MinCapacity or MaxCapacity.")
    if minimum is not None and maximum is not None and maximum < minimum:
        raise errors.make_validation("Maximum capacity cannot be less than minimum capacity")
    return minimum, maximum


@service.operation("DeleteScheduledAction")
async def delete_scheduled_action(ctx: Context, tx: Transaction, params: Params) -> Result:
    place, name = Place.make(ctx, params), params["ScheduledActionName"]
    found = await SCHEDULED_ACTIONS.find(tx, *place, name)
    if found is None:
        raise errors.make_no_scheduled_action(place, name)
    scheduling.leave(tx, found)
    SCHEDULED_ACTIONS.remove(tx, found)
    return {}


@service.operation("DescribeScheduledActions")
async def describe_scheduled_actions(ctx: Context, tx: Transaction, params: Params) -> Result:
    names = params.get("ScheduledActionNames")
    if params.get("ScalableDimension") and not params.get("ResourceId"):
        raise errors.make_validation("If you specify a scalable dimension, you must also specify a resource ID.")

    def show(action: ScheduledAction) -> dict[str, Any] | None:
        if names and action.name not in names:
            return None
        return {
            **action.place.show(),
            "ScheduledActionName": action.name,
            "ScheduledActionARN": action.arn,
            "Schedule": action.expression,
            "Timezone": None if action.zone == "UTC" else action.zone,
            "StartTime": action.start,
            "EndTime": action.end,
            "ScalableTargetAction": {"MinCapacity": action.minimum, "MaxCapacity": action.maximum},
            "CreationTime": action.created,
        }

    shown, following = await paging.list_page(ctx, tx, params, SCHEDULED_ACTIONS, show)
    return {"ScheduledActions": shown, "NextToken": following}
