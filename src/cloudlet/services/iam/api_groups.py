"""The operations on groups and their users."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.iam import api_users, deletion_checks, errors, membership, paging, policy_uses
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import GROUPS, USERS, describe
from cloudlet.services.iam.entity_record import Group


def show(group: Group) -> dict[str, Any]:
    """Return a group as answers have it."""
    return {"GroupName": group.name, "GroupId": group.id, **describe(group)}


@service.operation("CreateGroup")
async def create_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = GROUPS.make(ctx, params)
    await GROUPS.add(tx, group)
    return {"Group": show(group)}


@service.operation("GetGroup")
async def get_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await GROUPS.get_named(ctx, tx, params)

    async def load(key: str) -> dict[str, Any]:
        return api_users.show(await USERS.get(tx, ctx.account, key))

    users, marks = await paging.collect(params, await membership.list_keys(tx, group), load)
    return {"Group": show(group), "Users": users, **marks}


@service.operation("ListGroups")
async def list_groups(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await paging.list_kind(ctx, tx, params, GROUPS, show)


@service.operation("UpdateGroup")
async def update_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await GROUPS.get_named(ctx, tx, params)
    name = params.get("NewGroupName", group.name)
    if name != group.name:
        await GROUPS.check_free(tx, ctx.account, name)
    renamed = replace(group, name=name, path=params.get("NewPath") or group.path)
    if renamed.key != group.key:
        await membership.move_group(tx, group, renamed)
        policy_uses.move(tx, group, renamed)
    GROUPS.move(tx, group, renamed)
    return {}


@service.operation("DeleteGroup")
async def delete_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await GROUPS.get_named(ctx, tx, params)
    if await membership.list_keys(tx, group):
        raise errors.delete_conflict("Cannot delete entity, must remove users from group first.")
    deletion_checks.check_policies(group)
    GROUPS.remove(tx, group)
    return {}


@service.operation("AddUserToGroup")
async def add_user_to_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await GROUPS.get_named(ctx, tx, params)
    membership.add(tx, group, await USERS.get_named(ctx, tx, params))
    return {}


@service.operation("RemoveUserFromGroup")
async def remove_user_from_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await GROUPS.get_named(ctx, tx, params)
    membership.remove(tx, group, await USERS.get_named(ctx, tx, params))
    return {}


@service.operation("ListGroupsForUser")
async def list_groups_for_user(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await USERS.get_named(ctx, tx, params)
    groups = {key: show(await GROUPS.get(tx, ctx.account, key)) for key in user.groups}
    return paging.list_items(params, "Groups", groups)
