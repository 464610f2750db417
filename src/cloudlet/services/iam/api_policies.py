"""The operations on managed policies and their versions."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.iam import aws_policies, documents, errors, limits, managed, paging, policy_uses
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import POLICIES, describe
from cloudlet.services.iam.entity_record import ManagedPolicy, PolicyVersion


async def show(tx: Transaction, account: str, policy: ManagedPolicy) -> dict[str, Any]:
    """Return a policy as lists have it, with its uses in an account."""
    attached, as_boundary = [await policy_uses.count(tx, account, policy.arn, usage) for usage in policy_uses.USAGES]
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "DefaultVersionId": f"v{policy.default}",
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": as_boundary,
        "IsAttachable": True,
        "UpdateDate": policy.updated,
        **describe(policy),
    }


def show_version(policy: ManagedPolicy, version: PolicyVersion, *, has_document: bool = True) -> dict[str, Any]:
    """Return a version of a policy."""
    return {
        "Document": documents.show(version.document) if has_document else None,
        "VersionId": version.id,
        "IsDefaultVersion": version.number == policy.default,
        "CreateDate": version.created,
    }


@service.operation("CreatePolicy")
async def create_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    document = params["PolicyDocument"]
    documents.check_managed_policy(document)
    policy = POLICIES.make(
        ctx,
        params,
        versions=(PolicyVersion(1, document, ctx.now()),),
        updated=ctx.now(),
        description=params.get("Description"),
    )
    await POLICIES.add(tx, policy)
    return {"Policy": {**await show(tx, ctx.account, policy), "Tags": tags.to_list(policy.tags) or None}}


@service.operation("GetPolicy")
async def get_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = await managed.get(tx, ctx.account, params["PolicyArn"])
    shown = await show(tx, ctx.account, policy)
    return {"Policy": {**shown, "Description": policy.description, "Tags": tags.to_list(policy.tags)}}


@service.operation("ListPolicies")
async def list_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
    scope, prefix = params.get("Scope") or "All", params.get("PathPrefix") or "/"
    usage, is_used = params.get("PolicyUsageFilter"), params.get("OnlyAttached") or False
    policies: dict[str, ManagedPolicy] = {}
    if scope != "Local":
        policies |= {f"aws/{policy.key}": policy for policy in aws_policies.list_all()}
    if scope != "AWS":
        space = POLICIES.get_space(ctx.account)
        rows = await tx.range(space.begin, space.end, limit=limits.MAX_POLICIES)
        policies |= {f"local/{policy.key}": policy for policy in (POLICIES.decode(raw) for _, raw in rows)}

    async def load(key: str) -> dict[str, Any] | None:
        if not policies[key].path.startswith(prefix):
            return None
        shown = await show(tx, ctx.account, policies[key])
        attached, as_boundary = shown["AttachmentCount"], shown["PermissionsBoundaryUsageCount"]
        # Each alone is a filter: who asks for boundaries does not mean those that are attached.
        if (usage == "PermissionsPolicy" or (is_used and usage is None)) and not attached:
            return None
        return None if usage == "PermissionsBoundary" and not as_boundary else shown

    found, marks = await paging.collect(params, sorted(policies), load)
    return {"Policies": found, **marks}


@service.operation("DeletePolicy")
async def delete_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = await managed.get_own(ctx, tx, params["PolicyArn"])
    if any([await policy_uses.count(tx, ctx.account, policy.arn, usage) for usage in policy_uses.USAGES]):
        raise errors.delete_conflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise errors.delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    POLICIES.remove(tx, policy)
    return {}


@service.operation("CreatePolicyVersion")
async def create_policy_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = await managed.get_own(ctx, tx, params["PolicyArn"])
    documents.check_managed_policy(params["PolicyDocument"])
    if len(policy.versions) >= limits.MAX_POLICY_VERSIONS:
        raise errors.limit_exceeded(
            f"A managed policy can have up to {limits.MAX_POLICY_VERSIONS} versions. Before you create a new version, "
            "you must delete an existing version."
        )
    version = PolicyVersion(policy.last_number + 1, params["PolicyDocument"], ctx.now())
    policy = replace(
        policy,
        versions=(*policy.versions, version),
        last_number=version.number,
        default=version.number if params.get("SetAsDefault") else policy.default,
        updated=ctx.now(),
    )
    POLICIES.save(tx, policy)
    return {"PolicyVersion": show_version(policy, version, has_document=False)}


@service.operation("GetPolicyVersion")
async def get_policy_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = await managed.get(tx, ctx.account, params["PolicyArn"])
    return {"PolicyVersion": show_version(policy, managed.get_version(policy, params["VersionId"]))}


@service.operation("ListPolicyVersions")
async def list_policy_versions(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = await managed.get(tx, ctx.account, params["PolicyArn"])
    # The newest first; the keys sort so, as numbers of versions do not.
    shown = {
        f"{10**9 - version.number}": show_version(policy, version, has_document=False) for version in policy.versions
    }
    return paging.list_items(params, "Versions", shown)


@service.operation("SetDefaultPolicyVersion")
async def set_default_policy_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = await managed.get_own(ctx, tx, params["PolicyArn"])
    version = managed.get_version(policy, params["VersionId"])
    POLICIES.save(tx, replace(policy, default=version.number, updated=ctx.now()))
    return {}


@service.operation("DeletePolicyVersion")
async def delete_policy_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = await managed.get_own(ctx, tx, params["PolicyArn"])
    version = managed.get_version(policy, params["VersionId"])
    if version.number == policy.default:
        raise errors.delete_conflict("Cannot delete the default version of a policy.")
    kept = tuple(each for each in policy.versions if each != version)
    POLICIES.save(tx, replace(policy, versions=kept, updated=ctx.now()))
    return {}
