"""The operation that tells of all identities and policies of an account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens, tags
from cloudlet.services.iam import (
    api_groups,
    api_instance_profiles,
    api_policies,
    api_roles,
    api_users,
    aws_policies,
    documents,
    errors,
    managed,
    paging,
    policy_uses,
    profile_roles,
    uses,
)
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import GROUPS, POLICIES, ROLES, USERS, Kind
from cloudlet.services.iam.entity_record import Group, Identity, ManagedPolicy, Role, User


@service.operation("GetAccountAuthorizationDetails")
async def get_account_authorization_details(ctx: Context, tx: Transaction, params: Params) -> Result:
    wanted = params.get("Filter") or [*_PARTS]
    marked, _, after = page_tokens.parse_name_token(params.get("Marker"), errors.wrong_marker()).partition("/")
    names = [name for name in _PARTS if name in wanted]
    if marked and marked not in names:
        raise errors.wrong_marker()
    limit = paging.get_limit(params)
    found: list[tuple[str, Any]] = []
    for name in names[names.index(marked) if marked else 0 :]:
        missing = limit + 1 - len(found)
        if missing > 0:
            begin = after if name == marked else ""
            found += [(name, each) for each in await _PARTS[name].read(tx, ctx.account, begin, missing)]
    details: dict[str, list[Any]] = {part.member: [] for part in _PARTS.values()}
    for name, entity in found[:limit]:
        details[_PARTS[name].member].append(await _PARTS[name].show(tx, ctx.account, entity))
    if len(found) <= limit:
        return {**details, **paging.mark(None)}
    name, last = found[limit - 1]
    return {**details, **paging.mark(page_tokens.make_page_token(f"{name}/{last.key}".encode()))}


def _show_policies(identity: Identity) -> dict[str, Any]:
    """Return the members that tell of attached policies and of the boundary."""
    attached = [managed.show_attached(arn) for arn in identity.attached]
    return {"AttachedManagedPolicies": attached, **managed.show_boundary(identity)}


def _show_inline(identity: Identity) -> list[dict[str, str]]:
    return [{"PolicyName": name, "PolicyDocument": documents.show(text)} for name, text in identity.inline.items()]


async def _show_user(tx: Transaction, account: str, user: User) -> dict[str, Any]:
    return {
        **_drop(api_users.show(user), "PasswordLastUsed"),
        **_show_policies(user),
        "UserPolicyList": _show_inline(user),
        "GroupList": [(await GROUPS.get(tx, account, key)).name for key in user.groups],
        "Tags": tags.to_list(user.tags),
    }


async def _show_group(tx: Transaction, account: str, group: Group) -> dict[str, Any]:
    return {**api_groups.show(group), **_show_policies(group), "GroupPolicyList": _show_inline(group)}


async def _show_role(tx: Transaction, account: str, role: Role) -> dict[str, Any]:
    profiles = await profile_roles.list_profiles(tx, role)
    return {
        **_drop(api_roles.show(role), "Description", "MaxSessionDuration"),
        **_show_policies(role),
        **await uses.show_role_use(tx, role),
        "RolePolicyList": _show_inline(role),
        "InstanceProfileList": [await api_instance_profiles.show(tx, each) for each in profiles],
        "Tags": tags.to_list(role.tags),
    }


async def _show_policy(tx: Transaction, account: str, policy: ManagedPolicy) -> dict[str, Any]:
    versions = [api_policies.show_version(policy, each) for each in reversed(policy.versions)]
    return {**await api_policies.show(tx, account, policy), "PolicyVersionList": versions}


def _drop(shown: dict[str, Any], *members: str) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in members}


async def _read(kind: Kind[Any], tx: Transaction, account: str, after: str, limit: int) -> list[Any]:
    """Return those of a kind, in the order of names, behind a name."""
    space = kind.get_space(account)
    begin = space.key(after) + b"\x00" if after else space.begin
    return [kind.decode(raw) for _, raw in await tx.range(begin, space.end, limit=limit)]


async def _read_from_aws(tx: Transaction, account: str, after: str, limit: int) -> list[Any]:
    """Return AWS's policies that are attached, in the order of names, behind a name."""
    found: list[ManagedPolicy] = []
    for policy in aws_policies.list_all():
        if len(found) == limit:
            break
        if policy.key > after and await policy_uses.count(tx, account, policy.arn, "PermissionsPolicy"):
            found.append(await managed.get(tx, account, policy.arn))
    return found


class _Part(NamedTuple):
    """A type that requests filter by: its list, how it is read, and how shown."""

    member: str
    read: Callable[[Transaction, str, str, int], Awaitable[list[Any]]]
    show: Callable[[Transaction, str, Any], Awaitable[dict[str, Any]]]


_PARTS: Final = {
    "User": _Part("UserDetailList", partial(_read, USERS), _show_user),
    "Group": _Part("GroupDetailList", partial(_read, GROUPS), _show_group),
    "Role": _Part("RoleDetailList", partial(_read, ROLES), _show_role),
    "LocalManagedPolicy": _Part("Policies", partial(_read, POLICIES), _show_policy),
    "AWSManagedPolicy": _Part("Policies", _read_from_aws, _show_policy),
}
