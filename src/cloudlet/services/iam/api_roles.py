"""The operations on roles."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.iam import deletion_checks, documents, errors, managed, paging, profile_roles, sign_in, uses
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import ROLES, check_modifiable, describe
from cloudlet.services.iam.entity_record import Role


def show(role: Role) -> dict[str, Any]:
    """Return a role as lists have it."""
    return {
        "RoleName": role.name,
        "RoleId": role.id,
        "AssumeRolePolicyDocument": documents.show(role.trust_policy),
        "Description": role.description,
        "MaxSessionDuration": role.max_session_seconds,
        **describe(role),
    }


def show_whole(role: Role) -> dict[str, Any]:
    """Return a role as it is shown alone."""
    return {**show(role), **managed.show_boundary(role), "Tags": tags.to_list(role.tags) or None}


@service.operation("CreateRole")
async def create_role(ctx: Context, tx: Transaction, params: Params) -> Result:
    sign_in.refuse_durations(params)
    documents.check_trust_policy(params["AssumeRolePolicyDocument"])
    role = ROLES.make(
        ctx,
        params,
        trust_policy=params["AssumeRolePolicyDocument"],
        description=params.get("Description"),
        max_session_seconds=params.get("MaxSessionDuration", 3600),
    )
    if role.path.startswith("/aws-service-role/"):
        raise errors.invalid_input(f"The path {role.path} is for the roles of services.")
    await ROLES.add(tx, role)
    if boundary := params.get("PermissionsBoundary"):
        role = await managed.set_boundary(tx, role, boundary)
        ROLES.save(tx, role)
    return {"Role": show_whole(role)}


@service.operation("GetRole")
async def get_role(ctx: Context, tx: Transaction, params: Params) -> Result:
    role = await ROLES.get_named(ctx, tx, params)
    return {"Role": {**show_whole(role), **await uses.show_role_use(tx, role)}}


@service.operation("ListRoles")
async def list_roles(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await paging.list_kind(ctx, tx, params, ROLES, show)


@service.operation("UpdateRole")
async def update_role(ctx: Context, tx: Transaction, params: Params) -> Result:
    sign_in.refuse_durations(params)
    role = await ROLES.get_named(ctx, tx, params)
    # The description may be changed, also of a role that is a service's own.
    if "MaxSessionDuration" in params:
        check_modifiable(role)
    description = params.get("Description", role.description)
    seconds = params.get("MaxSessionDuration", role.max_session_seconds)
    ROLES.save(tx, replace(role, description=description, max_session_seconds=seconds))
    return {}


@service.operation("UpdateRoleDescription")
async def update_role_description(ctx: Context, tx: Transaction, params: Params) -> Result:
    role = replace(await ROLES.get_named(ctx, tx, params), description=params["Description"])
    ROLES.save(tx, role)
    return {"Role": show_whole(role)}


@service.operation("UpdateAssumeRolePolicy")
async def update_assume_role_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    role = await ROLES.get_modifiable(ctx, tx, params)
    documents.check_trust_policy(params["PolicyDocument"])
    ROLES.save(tx, replace(role, trust_policy=params["PolicyDocument"]))
    return {}


@service.operation("DeleteRole")
async def delete_role(ctx: Context, tx: Transaction, params: Params) -> Result:
    role = await ROLES.get_modifiable(ctx, tx, params)
    if await profile_roles.list_profiles(tx, role):
        raise errors.delete_conflict("Cannot delete entity, must remove roles from instance profile first.")
    deletion_checks.check_policies(role)
    if role.boundary:
        managed.remove_boundary(tx, role)
    uses.forget_identity(tx, role)
    ROLES.remove(tx, role)
    return {}
