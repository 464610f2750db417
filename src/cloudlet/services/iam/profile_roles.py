"""The roles of instance profiles."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.services.iam import errors, limits
from cloudlet.services.iam.entities import INSTANCE_PROFILES
from cloudlet.services.iam.entity_record import InstanceProfile, Role

_PROFILES: Final = Subspace("role-profile")


def add(tx: Transaction, profile: InstanceProfile, role: Role) -> None:
    """Give a profile its role. Raises AwsError where it has one."""
    if profile.role:
        raise errors.make_quota_error("InstanceSessionsPerInstanceProfile", 1)
    tx.put(_PROFILES.key(role.account, role.key, profile.key), b"")
    INSTANCE_PROFILES.save(tx, replace(profile, role=role.key))


def remove(tx: Transaction, profile: InstanceProfile, role: Role) -> None:
    """Take its role from a profile. Raises AwsError where it is another one."""
    if profile.role != role.key:
        raise errors.no_such_entity(f"The role with name {role.name} cannot be found.")
    tx.delete(_PROFILES.key(role.account, role.key, profile.key))
    INSTANCE_PROFILES.save(tx, replace(profile, role=""))


async def list_profiles(tx: Transaction, role: Role) -> list[InstanceProfile]:
    """Return the instance profiles of a role, in the order of names."""
    space = _PROFILES.sub(role.account, role.key)
    rows = await tx.range(space.begin, space.end, limit=limits.MAX_INSTANCE_PROFILES)
    return [await INSTANCE_PROFILES.get(tx, role.account, space.unpack(key)[0]) for key, _ in rows]
