"""The operations on users."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.iam import (
    access_keys,
    callers,
    deletion_checks,
    managed,
    membership,
    mfa_devices,
    paging,
    policy_uses,
    user_credentials,
    uses,
)
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import USERS, describe
from cloudlet.services.iam.entity_record import User


def show(user: User) -> dict[str, Any]:
    """Return a user as lists have it."""
    return {
        "UserName": user.name,
        "UserId": user.id,
        "PasswordLastUsed": user.password_used or None,
        **describe(user),
    }


def _show_whole(user: User) -> dict[str, Any]:
    return {"User": {**show(user), **managed.show_boundary(user), "Tags": tags.to_list(user.tags) or None}}


@service.operation("CreateUser")
async def create_user(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = USERS.make(ctx, params)
    await USERS.add(tx, user)
    if boundary := params.get("PermissionsBoundary"):
        user = await managed.set_boundary(tx, user, boundary)
        USERS.save(tx, user)
    return _show_whole(user)


@service.operation("GetUser")
async def get_user(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await callers.get_user(ctx, tx, params)
    if user is None:
        root = f"arn:{partition_of(ctx.region)}:iam::{ctx.account}:root"
        return {"User": {"UserId": ctx.account, "Arn": root}}
    return _show_whole(user)


@service.operation("ListUsers")
async def list_users(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await paging.list_kind(ctx, tx, params, USERS, show)


@service.operation("UpdateUser")
async def update_user(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await USERS.get_named(ctx, tx, params)
    name = params.get("NewUserName", user.name)
    if name != user.name:
        await USERS.check_free(tx, ctx.account, name)
    renamed = replace(user, name=name, path=params.get("NewPath") or user.path)
    if renamed.key != user.key:
        membership.move_user(tx, user, renamed)
        policy_uses.move(tx, user, renamed)
        await access_keys.move(tx, user, renamed)
        await user_credentials.move(tx, user, renamed)
        await mfa_devices.move(tx, user, renamed)
    USERS.move(tx, user, renamed)
    return {}


@service.operation("DeleteUser")
async def delete_user(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await USERS.get_named(ctx, tx, params)
    await deletion_checks.check_user(tx, user)
    if user.boundary:
        managed.remove_boundary(tx, user)
    uses.forget_identity(tx, user)
    USERS.remove(tx, user)
    return {}
