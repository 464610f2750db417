"""The operations that attach managed policies to users, groups and roles, or make them boundaries."""

from __future__ import annotations

from typing import Any, TypeVar

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.iam import errors, managed, paging, policy_uses
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import GROUPS, IDENTITIES, ROLES, USERS, Kind
from cloudlet.services.iam.entity_record import Identity

I = TypeVar("I", bound=Identity)  # noqa: E741


def _declare_attachments(kind: Kind[I]) -> None:
    """Declare the operations on the managed policies of one kind."""

    @service.operation(f"Attach{kind.noun}Policy")
    async def attach_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
        owner = await kind.get_modifiable(ctx, tx, params)
        kind.save(tx, await managed.attach(tx, owner, params["PolicyArn"]))
        return {}

    @service.operation(f"Detach{kind.noun}Policy")
    async def detach_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
        owner = await kind.get_modifiable(ctx, tx, params)
        kind.save(tx, managed.detach(tx, owner, params["PolicyArn"]))
        return {}

    @service.operation(f"ListAttached{kind.noun}Policies")
    async def list_attached_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
        owner = await kind.get_named(ctx, tx, params)
        prefix = params.get("PathPrefix") or "/"
        # A policy of the account may have the name of one of AWS's.
        attached = {
            f"{each['PolicyName']} {managed.is_of_aws(arn)}": each
            for arn in owner.attached
            if managed.get_path(arn).startswith(prefix)
            for each in (managed.show_attached(arn),)
        }
        return paging.list_items(params, "AttachedPolicies", attached)


def _declare_boundaries(kind: Kind[I]) -> None:
    """Declare the operations on the permissions boundaries of one kind."""

    @service.operation(f"Put{kind.noun}PermissionsBoundary")
    async def put_permissions_boundary(ctx: Context, tx: Transaction, params: Params) -> Result:
        owner = await kind.get_modifiable(ctx, tx, params)
        kind.save(tx, await managed.set_boundary(tx, owner, params["PermissionsBoundary"]))
        return {}

    @service.operation(f"Delete{kind.noun}PermissionsBoundary")
    async def delete_permissions_boundary(ctx: Context, tx: Transaction, params: Params) -> Result:
        owner = await kind.get_modifiable(ctx, tx, params)
        if not owner.boundary:
            raise errors.no_such_entity(f"The {owner.kind} with name {owner.name} has no permissions boundary.")
        kind.save(tx, managed.remove_boundary(tx, owner))
        return {}


_declare_attachments(USERS)
_declare_attachments(GROUPS)
_declare_attachments(ROLES)
_declare_boundaries(USERS)
_declare_boundaries(ROLES)

_LISTS = {"group": "PolicyGroups", "role": "PolicyRoles", "user": "PolicyUsers"}


@service.operation("ListEntitiesForPolicy")
async def list_entities_for_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn, usage = params["PolicyArn"], params.get("PolicyUsageFilter")
    wanted, prefix = params.get("EntityFilter"), params.get("PathPrefix") or "/"
    await managed.get(tx, ctx.account, arn)
    uses = await policy_uses.list_uses(tx, ctx.account, arn)
    keys = {f"{use.kind}/{use.key}" for use in uses if use.usage == (usage or use.usage)}

    async def load(key: str) -> tuple[str, dict[str, Any]] | None:
        name, _, entity_key = key.partition("/")
        kind = IDENTITIES[name]
        if wanted not in (None, kind.noun):
            return None
        found = await kind.get(tx, ctx.account, entity_key)
        shown = {kind.name_member: found.name, f"{kind.noun}Id": found.id}
        return (_LISTS[name], shown) if found.path.startswith(prefix) else None

    found, marks = await paging.collect(params, sorted(keys), load)
    lists = {member: [shown for each, shown in found if each == member] for member in _LISTS.values()}
    return {**lists, **marks}
