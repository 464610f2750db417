"""The operations on schedule groups."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.authorization import tagged_resources
from cloudlet.core.aws import listing, tags
from cloudlet.services.scheduler import clearing, deletions, errors, group, schedule
from cloudlet.services.scheduler.block import service
from cloudlet.services.scheduler.group import Group


def _shown(found: Group) -> dict[str, Any]:
    return {
        "Arn": found.arn,
        "Name": found.name,
        "State": "DELETING" if found.is_going else "ACTIVE",
        "CreationDate": found.created,
        "LastModificationDate": found.modified,
    }


@service.operation("CreateScheduleGroup")
async def create_schedule_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params["Name"]
    token = params.get("ClientToken") or ""
    found = await group.find(tx, ctx.account, ctx.region, name)
    if found is not None and token and found.token == token and not found.is_going:
        return {"ScheduleGroupArn": found.arn}
    if found is not None or name == group.DEFAULT:
        raise errors.conflict(f"Schedule group {name} already exists.")
    space = group.of_account(ctx.account, ctx.region)
    if len(await tx.range(space.begin, space.end, limit=group.GROUPS)) == group.GROUPS:
        raise errors.quota_exceeded(f"An account has at most {group.GROUPS} schedule groups.")
    created = Group(ctx.account, ctx.region, name, ctx.now(), ctx.now(), token)
    group.save(tx, created)
    tags.save(tx, created.arn, tags.merge({}, params.get("Tags"), errors.validation, errors.quota_exceeded))
    return {"ScheduleGroupArn": created.arn}


@service.operation("GetScheduleGroup")
async def get_schedule_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _authorize(ctx, tx, "GetScheduleGroup", params)
    return _shown(await group.get(ctx, tx, params["Name"]))


async def _authorize(ctx: Context, tx: Transaction, operation: str, params: Params) -> None:
    """Raise AwsError unless the caller may do this to the group that a request names."""
    arn = group.make_arn(ctx.account, ctx.region, params["Name"])
    await tagged_resources.authorize(ctx, tx, operation, arn, params)


@service.operation("DeleteScheduleGroup")
async def delete_schedule_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _authorize(ctx, tx, "DeleteScheduleGroup", params)
    every = schedule.make_arn(ctx.account, ctx.region, params["Name"], "*")
    tagged = group.make_arn(ctx.account, ctx.region, params["Name"])
    await tagged_resources.authorize(ctx, tx, "DeleteSchedule", every, params, tagged=tagged)
    if params["Name"] == group.DEFAULT:
        raise errors.validation("The default schedule group cannot be deleted.")
    what = f"schedule-group/{params['Name']}"
    there = await group.find(tx, ctx.account, ctx.region, params["Name"])
    if (there is None or there.is_going) and await deletions.is_repeated(ctx, tx, params, what):
        return {}
    found = await group.get(ctx, tx, params["Name"])
    if found.is_going:
        raise errors.conflict(f"Schedule group {found.name} is being deleted.")
    group.save(tx, replace(found, is_going=True, modified=ctx.now()))
    clearing.begin(tx, found)
    await deletions.note(ctx, tx, params, what)
    return {}


@service.operation("ListScheduleGroups")
async def list_schedule_groups(ctx: Context, tx: Transaction, params: Params) -> Result:
    prefix = params.get("NamePrefix") or ""
    limit = params.get("MaxResults")
    token = params.get("NextToken")

    def select(raw: bytes) -> dict[str, Any] | None:
        found = group.decode(raw)
        return _shown(found) if found.name.startswith(prefix) else None

    await group.default(ctx, tx)
    space = group.of_account(ctx.account, ctx.region)
    shown, following = await listing.list_page(tx, space, token, limit, select, errors.wrong_token())
    return {"ScheduleGroups": shown, "NextToken": following}
