"""The operations on schedules."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.authorization import tagged_resources
from cloudlet.core.aws import listing
from cloudlet.services.scheduler import deletions, errors, group, schedule, scheduling, target
from cloudlet.services.scheduler.block import service
from cloudlet.services.scheduler.schedule import Schedule

_DEFAULT_POLICY = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
_EARLIEST_START_SECONDS = 300


@service.direct("CreateSchedule")
async def create_schedule(ctx: Context, params: Params) -> Result | FinalTransaction:
    await target.check_trust(ctx, params["Target"], params.get("GroupName") or group.DEFAULT)
    return FinalTransaction(lambda tx: _create_schedule(ctx, tx, params))


async def _create_schedule(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _authorize(ctx, tx, "CreateSchedule", params)
    asked = _asked(ctx, params)
    await _check_group(ctx, tx, asked.group)
    found = await schedule.find(tx, ctx.account, ctx.region, asked.group, asked.name)
    if found is not None:
        if asked.token and found.token == asked.token:
            return {"ScheduleArn": found.arn}
        raise errors.conflict(f"Schedule {asked.name} already exists.")
    return {"ScheduleArn": scheduling.enter(tx, asked, asked.timing.first(ctx.now()), ctx.now()).arn}


@service.direct("UpdateSchedule")
async def update_schedule(ctx: Context, params: Params) -> Result | FinalTransaction:
    await target.check_trust(ctx, params["Target"], params.get("GroupName") or group.DEFAULT)
    return FinalTransaction(lambda tx: _update_schedule(ctx, tx, params))


async def _update_schedule(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Replace a schedule.

    It goes on as it was going where it is due at the same times as before.
    """
    await _authorize(ctx, tx, "UpdateSchedule", params)
    asked = _asked(ctx, params)
    found = await _get(ctx, tx, asked.group, asked.name)
    scheduling.leave(tx, found)
    changed = replace(asked, created=found.created, token=found.token)
    as_before = replace(changed, anchor=found.anchor)
    if as_before.timing != found.timing:
        due = changed.timing.first(ctx.now())
    else:
        changed = as_before
        due = found.due / 1000 if found.due else changed.timing.following(ctx.now())
    return {"ScheduleArn": scheduling.enter(tx, changed, due, ctx.now()).arn}


@service.operation("GetSchedule")
async def get_schedule(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _authorize(ctx, tx, "GetSchedule", params)
    found = await _get(ctx, tx, params.get("GroupName") or group.DEFAULT, params["Name"])
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": found.window} if found.window else {"Mode": "OFF"}
    return {
        **_summary(found),
        "ScheduleExpression": found.expression,
        "ScheduleExpressionTimezone": found.zone,
        "StartDate": found.start,
        "EndDate": found.end,
        "Description": found.description or None,
        "Target": found.target,
        "FlexibleTimeWindow": window,
        "ActionAfterCompletion": "DELETE" if found.deletes_itself else "NONE",
    }


@service.operation("DeleteSchedule")
async def delete_schedule(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _authorize(ctx, tx, "DeleteSchedule", params)
    of, name = params.get("GroupName") or group.DEFAULT, params["Name"]
    what = f"schedule/{of}/{name}"
    if await schedule.find(tx, ctx.account, ctx.region, of, name) is None and await deletions.is_repeated(
        ctx, tx, params, what
    ):
        return {}
    found = await _get(ctx, tx, of, name)
    scheduling.leave(tx, found)
    schedule.remove(tx, found)
    await deletions.note(ctx, tx, params, what)
    return {}


@service.operation("ListSchedules")
async def list_schedules(ctx: Context, tx: Transaction, params: Params) -> Result:
    prefix = params.get("NamePrefix") or ""
    state = params.get("State")
    space = schedule.of_account(ctx.account, ctx.region)
    if params.get("GroupName"):
        await group.get(ctx, tx, params["GroupName"])
        space = space.sub(params["GroupName"])

    def select(raw: bytes) -> dict[str, Any] | None:
        found = schedule.decode(raw)
        if not found.name.startswith(prefix) or (state is not None and state != _state(found)):
            return None
        return {**_summary(found), "Target": {"Arn": found.target["Arn"]}}

    token, limit = params.get("NextToken"), params.get("MaxResults")
    shown, following = await listing.list_page(tx, space, token, limit, select, errors.wrong_token())
    return {"Schedules": shown, "NextToken": following}


def _state(found: Schedule) -> str:
    return "ENABLED" if found.enabled else "DISABLED"


def _summary(found: Schedule) -> dict[str, Any]:
    return {
        "Arn": found.arn,
        "Name": found.name,
        "GroupName": found.group,
        "State": _state(found),
        "CreationDate": found.created,
        "LastModificationDate": found.modified,
    }


async def _authorize(ctx: Context, tx: Transaction, operation: str, params: Params) -> None:
    """Raise AwsError unless the caller may do this to a schedule.

    The tags of its group count.
    """
    of = params.get("GroupName") or group.DEFAULT
    arn = schedule.make_arn(ctx.account, ctx.region, of, params["Name"])
    tagged = group.make_arn(ctx.account, ctx.region, of)
    await tagged_resources.authorize(ctx, tx, operation, arn, params, tagged=tagged)


async def _get(ctx: Context, tx: Transaction, of: str, name: str) -> Schedule:
    found = await schedule.find(tx, ctx.account, ctx.region, of, name)
    if found is None:
        await group.get(ctx, tx, of)
        raise errors.not_found(f"Schedule {name}")
    return found


async def _check_group(ctx: Context, tx: Transaction, name: str) -> None:
    """Raise AwsError unless schedules can be created in a group."""
    found = await group.get(ctx, tx, name)
    if found.is_going:
        raise errors.conflict(f"Schedule group {name} is being deleted.")


def _asked(ctx: Context, params: Params) -> Schedule:
    """Return the schedule that a request asks for. Raises AwsError."""
    if params.get("KmsKeyArn"):
        raise errors.not_built("the parameter KmsKeyArn of schedules")
    now = ctx.now()
    given = params["Target"]
    target.check(ctx, given)
    asked = Schedule(
        ctx.account,
        ctx.region,
        params.get("GroupName") or group.DEFAULT,
        params["Name"],
        params["ScheduleExpression"],
        params.get("ScheduleExpressionTimezone") or "UTC",
        params.get("StartDate"),
        params.get("EndDate"),
        now,
        params.get("Description") or "",
        params.get("State") != "DISABLED",
        {**given, "RetryPolicy": {**_DEFAULT_POLICY, **(given.get("RetryPolicy") or {})}},
        _window(params["FlexibleTimeWindow"]),
        params.get("ActionAfterCompletion") == "DELETE",
        now,
        now,
        params.get("ClientToken") or "",
    )
    asked.timing.check()
    if not asked.timing.is_once:
        _check_dates(asked, now)
    return asked


def _window(given: dict[str, Any]) -> int:
    """Return how many minutes late a schedule may run."""
    minutes: int | None = given.get("MaximumWindowInMinutes")
    if (given["Mode"] == "FLEXIBLE") != (minutes is not None):
        raise errors.validation(
            "MaximumWindowInMinutes must be specified for flexible time windows, and for them only."
        )
    return minutes or 0


def _check_dates(asked: Schedule, now: float) -> None:
    if asked.start is not None and asked.start < now - _EARLIEST_START_SECONDS:
        raise errors.validation("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if asked.end is not None and asked.end < now:
        raise errors.validation("The EndDate you specify cannot be in the past.")
    if asked.start is not None and asked.end is not None and asked.end < asked.start:
        raise errors.validation("The EndDate you specify must come after the StartDate.")
