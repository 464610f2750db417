"""The users of groups."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.services.iam import errors, limits
from cloudlet.services.iam.entities import USERS
from cloudlet.services.iam.entity_record import Group, User

_MEMBERS: Final = Subspace("member")


def add(tx: Transaction, group: Group, user: User) -> None:
    """Put a user into a group. Raises AwsError where it is in too many."""
    if group.key in user.groups:
        return
    if len(user.groups) >= limits.MAX_USER_GROUPS:
        raise errors.make_quota_error("GroupsPerUser", limits.MAX_USER_GROUPS)
    tx.put(_get_space(group).key(user.key), b"")
    USERS.save(tx, replace(user, groups=tuple(sorted((*user.groups, group.key)))))


def remove(tx: Transaction, group: Group, user: User) -> None:
    """Take a user out of a group, if it is in it."""
    if group.key in user.groups:
        tx.delete(_get_space(group).key(user.key))
        USERS.save(tx, replace(user, groups=tuple(key for key in user.groups if key != group.key)))


async def list_keys(tx: Transaction, group: Group) -> list[str]:
    """Return the keys of a group's users, in their order."""
    space = _get_space(group)
    rows = await tx.range(space.begin, space.end, limit=limits.MAX_USERS)
    return [space.unpack(key)[0] for key, _ in rows]


def move_user(tx: Transaction, user: User, renamed: User) -> None:
    """Note a user in its groups under another name."""
    for group in user.groups:
        tx.delete(_MEMBERS.key(user.account, group, user.key))
        tx.put(_MEMBERS.key(user.account, group, renamed.key), b"")


async def move_group(tx: Transaction, group: Group, renamed: Group) -> None:
    """Note a group's users, and it with them, under another name."""
    for key in await list_keys(tx, group):
        user = await USERS.get(tx, group.account, key)
        remove(tx, group, user)
        add(tx, renamed, replace(user, groups=tuple(key for key in user.groups if key != group.key)))


def _get_space(group: Group) -> Subspace:
    """Return the subspace of the keys of a group's users."""
    return _MEMBERS.sub(group.account, group.key)
