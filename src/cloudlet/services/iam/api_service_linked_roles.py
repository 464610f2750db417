"""The operations on the roles of services."""

from __future__ import annotations

import json
from typing import Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel import ids
from cloudlet.services.iam import errors, managed, policy_uses, service_linked_roles, uses
from cloudlet.services.iam.api_roles import show_whole
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import ROLES, is_service_linked

_TASKS: Final = Subspace("role-deletion")
"""The deletions of roles, by account and task."""


@service.operation("CreateServiceLinkedRole")
async def create_service_linked_role(ctx: Context, tx: Transaction, params: Params) -> Result:
    principal, suffix = params["AWSServiceName"], params.get("CustomSuffix")
    linked = service_linked_roles.find(principal)
    if linked is None:
        raise errors.invalid_input(f"Service {principal} has no service-linked role that Cloudlet knows.")
    if suffix and not linked.has_custom_suffix:
        raise errors.invalid_input(f"Custom suffix is not allowed for {principal}")
    name = f"{linked.name}_{suffix}" if suffix else linked.name
    if await ROLES.find(tx, ctx.account, name) is not None:
        raise errors.invalid_input(
            f"Service role name {name} has been taken in this account, please try a different suffix."
        )
    trust = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
    role = ROLES.make(
        ctx,
        {"RoleName": name, "Path": f"/aws-service-role/{principal}/"},
        trust_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        description=params.get("Description"),
    )
    policy = f"arn:{partition_of(ctx.region)}:iam::aws:policy/aws-service-role/{linked.policy}"
    role = replace(role, attached=(policy,))
    await ROLES.add(tx, role)
    policy_uses.add(tx, policy, "PermissionsPolicy", role)
    return {"Role": show_whole(role)}


@service.operation("DeleteServiceLinkedRole")
async def delete_service_linked_role(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Delete a role at once; the task tells of it."""
    role = await ROLES.get_named(ctx, tx, params)
    if not is_service_linked(role):
        raise errors.invalid_input(f"Role {role.name} is not a service-linked role.")
    for policy in role.attached:
        managed.detach(tx, role, policy)
    uses.forget_identity(tx, role)
    ROLES.remove(tx, role)
    task = f"task{role.path}{role.name}/{ids.uuid4()}"
    tx.put(_TASKS.key(ctx.account, task), b"")
    return {"DeletionTaskId": task}


@service.operation("GetServiceLinkedRoleDeletionStatus")
async def get_service_linked_role_deletion_status(ctx: Context, tx: Transaction, params: Params) -> Result:
    task = params["DeletionTaskId"]
    if await tx.get(_TASKS.key(ctx.account, task)) is None:
        raise errors.no_such_entity(f"The deletion task {task} cannot be found.")
    return {"Status": "SUCCEEDED"}
