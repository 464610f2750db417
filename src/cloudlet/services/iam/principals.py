"""Users, groups and roles by their ARNs, and the policies that apply to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from cloudlet.core import Arn, Context, Transaction
from cloudlet.services.iam import errors, managed
from cloudlet.services.iam.entities import GROUPS, ROLES, USERS
from cloudlet.services.iam.entity_record import Group, Identity, Role, User


class AppliedPolicy(NamedTuple):
    """A policy that applies to a user or role."""

    owner: Identity
    """The user, group or role that has it."""
    name: str
    """The name of an inline policy, or the ARN of a managed one."""
    document: str
    type: Literal["inline", "managed", "boundary"]


async def find(tx: Transaction, arn: str) -> User | Role | Group | None:
    """Return a user, role or group by its ARN, or None.

    A role is also found by the ARN of a session, and by its own without the path. Letters' case counts, as it does in
    policies.
    """
    try:
        account, service, resource = _take_apart(arn)
    except ValueError:
        return None
    type_, _, rest = resource.partition("/")
    name = rest.partition("/")[0] if service == "sts" else rest.rpartition("/")[2]
    found: User | Role | Group | None = None
    if (service, type_) in (("sts", "assumed-role"), ("iam", "role")):
        found = await ROLES.find(tx, account, name)
    elif (service, type_) == ("iam", "user"):
        found = await USERS.find(tx, account, name)
    elif (service, type_) == ("iam", "group"):
        found = await GROUPS.find(tx, account, name)
    if found is None or found.name != name:
        return None
    is_without_path = isinstance(found, Role) and (service == "sts" or rest == name)
    return found if is_without_path or found.arn == arn else None


def _take_apart(arn: str) -> tuple[str, str, str]:
    parts = Arn.parse(arn)
    return parts.account, parts.service, parts.resource


async def get(tx: Transaction, arn: str) -> User | Role | Group:
    """Return what `find` does. Raises AwsError where there is none."""
    found = await find(tx, arn)
    if found is None:
        raise errors.no_such_entity(f"ARN {arn} was not found.")
    return found


async def get_own(ctx: Context, tx: Transaction, arn: str) -> User | Role | Group:
    """Return what `find` does, of the caller's account. Raises AwsError where there is none."""
    found = await get(tx, arn)
    if found.account != ctx.account:
        raise errors.no_such_entity(f"ARN {arn} was not found.")
    return found


async def list_policies(tx: Transaction, identity: Identity) -> list[AppliedPolicy]:
    """Return the policies of a role or group, or of a user and its groups."""
    owners = [identity]
    if isinstance(identity, User):
        owners += [await GROUPS.get(tx, identity.account, key) for key in identity.groups]
    found = [each for owner in owners for each in _list_inline(owner)]
    for owner in owners:
        for arn in owner.attached:
            policy = await managed.get(tx, owner.account, arn)
            found.append(AppliedPolicy(owner, arn, policy.document, "managed"))
    return found


def _list_inline(owner: Identity) -> Iterator[AppliedPolicy]:
    for name, document in owner.inline.items():
        yield AppliedPolicy(owner, name, document, "inline")
