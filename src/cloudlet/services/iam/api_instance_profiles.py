"""The operations on instance profiles."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.iam import api_roles, errors, paging, profile_roles
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import INSTANCE_PROFILES, ROLES, describe
from cloudlet.services.iam.entity_record import InstanceProfile


async def show(tx: Transaction, profile: InstanceProfile) -> dict[str, Any]:
    """Return an instance profile as lists have it."""
    role = await ROLES.find(tx, profile.account, profile.role) if profile.role else None
    return {
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Roles": [] if role is None else [api_roles.show(role)],
        **describe(profile),
    }


async def _show_whole(tx: Transaction, profile: InstanceProfile) -> dict[str, Any]:
    return {"InstanceProfile": {**await show(tx, profile), "Tags": tags.to_list(profile.tags)}}


@service.operation("CreateInstanceProfile")
async def create_instance_profile(ctx: Context, tx: Transaction, params: Params) -> Result:
    profile = INSTANCE_PROFILES.make(ctx, params)
    await INSTANCE_PROFILES.add(tx, profile)
    return await _show_whole(tx, profile)


@service.operation("GetInstanceProfile")
async def get_instance_profile(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _show_whole(tx, await INSTANCE_PROFILES.get_named(ctx, tx, params))


@service.operation("ListInstanceProfiles")
async def list_instance_profiles(ctx: Context, tx: Transaction, params: Params) -> Result:
    page = await paging.list_kind(ctx, tx, params, INSTANCE_PROFILES, lambda profile: profile)
    return {**page, "InstanceProfiles": [await show(tx, profile) for profile in page["InstanceProfiles"]]}


@service.operation("ListInstanceProfilesForRole")
async def list_instance_profiles_for_role(ctx: Context, tx: Transaction, params: Params) -> Result:
    role = await ROLES.get_named(ctx, tx, params)
    profiles = await profile_roles.list_profiles(tx, role)
    return paging.list_items(params, "InstanceProfiles", {profile.key: await show(tx, profile) for profile in profiles})


@service.operation("AddRoleToInstanceProfile")
async def add_role_to_instance_profile(ctx: Context, tx: Transaction, params: Params) -> Result:
    profile = await INSTANCE_PROFILES.get_named(ctx, tx, params)
    profile_roles.add(tx, profile, await ROLES.get_modifiable(ctx, tx, params))
    return {}


@service.operation("RemoveRoleFromInstanceProfile")
async def remove_role_from_instance_profile(ctx: Context, tx: Transaction, params: Params) -> Result:
    profile = await INSTANCE_PROFILES.get_named(ctx, tx, params)
    profile_roles.remove(tx, profile, await ROLES.get_modifiable(ctx, tx, params))
    return {}


@service.operation("DeleteInstanceProfile")
async def delete_instance_profile(ctx: Context, tx: Transaction, params: Params) -> Result:
    profile = await INSTANCE_PROFILES.get_named(ctx, tx, params)
    if profile.role:
        raise errors.delete_conflict("Cannot delete entity, must remove roles from instance profile first.")
    INSTANCE_PROFILES.remove(tx, profile)
    return {}
