"""The counts and quotas of an account."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.iam import access_keys, limits
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import GROUPS, INSTANCE_PROFILES, POLICIES, ROLES, USERS, Kind

Count = Callable[[Transaction, str], Coroutine[Any, Any, dict[str, int]]]
"""Returns entries of an account's summary, by their keys."""
_counts: Final[list[Count]] = []
_KINDS: Final[dict[str, Kind[Any]]] = {
    "Users": USERS,
    "Groups": GROUPS,
    "Roles": ROLES,
    "Policies": POLICIES,
    "InstanceProfiles": INSTANCE_PROFILES,
}
_QUOTAS: Final = {
    "AccessKeysPerUserQuota": limits.MAX_USER_ACCESS_KEYS,
    "AssumeRolePolicySizeQuota": limits.MAX_TRUST_POLICY_CHARACTERS,
    "AttachedPoliciesPerGroupQuota": limits.MAX_ATTACHED_POLICIES,
    "AttachedPoliciesPerRoleQuota": limits.MAX_ATTACHED_POLICIES,
    "AttachedPoliciesPerUserQuota": limits.MAX_ATTACHED_POLICIES,
    "GroupPolicySizeQuota": limits.MAX_GROUP_INLINE_CHARACTERS,
    "GroupsPerUserQuota": limits.MAX_USER_GROUPS,
    "PolicySizeQuota": limits.MAX_MANAGED_POLICY_CHARACTERS,
    "RolePolicySizeQuota": limits.MAX_ROLE_INLINE_CHARACTERS,
    "UserPolicySizeQuota": limits.MAX_USER_INLINE_CHARACTERS,
    "VersionsPerPolicyQuota": limits.MAX_POLICY_VERSIONS,
}


def add_count(count: Count) -> Count:
    """Have entries added to each summary."""
    _counts.append(count)
    return count


@service.operation("GetAccountSummary")
async def get_account_summary(ctx: Context, tx: Transaction, params: Params) -> Result:
    space = POLICIES.get_space(ctx.account)
    policies = [POLICIES.decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=limits.MAX_POLICIES)]
    summary = dict(_QUOTAS)
    for name, kind in _KINDS.items():
        summary |= {name: await kind.count(tx, ctx.account), f"{name}Quota": kind.max_entities}
    summary["PolicyVersionsInUse"] = sum(len(policy.versions) for policy in policies)
    summary["AccountAccessKeysPresent"] = len(await access_keys.list_keys(tx, ctx.account, ""))
    for count in _counts:
        summary |= await count(tx, ctx.account)
    return {"SummaryMap": summary}
