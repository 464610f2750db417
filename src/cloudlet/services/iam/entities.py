"""Users, groups, roles, instance profiles and policies: how they are found, counted and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import msgspec

from cloudlet.core import Context, Params, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel import ids
from cloudlet.services.iam import errors, limits, tagging
from cloudlet.services.iam.entity_record import Entity, Group, InstanceProfile, ManagedPolicy, Role, User

E = TypeVar("E", bound=Entity)
_encode = msgspec.msgpack.Encoder().encode
_SERVICE_PATH: Final = "/aws-service-role/"
_COUNTS: Final = Subspace("count")


@dataclass(frozen=True)
class Kind(Generic[E]):
    """One of the five kinds of resources that have paths and names."""

    record: type[E]
    name_member: str
    """The member that has its name in requests and answers."""
    id_prefix: str
    max_entities: int
    quota: str
    """AWS's name of its quota."""
    is_tagged_by_case: bool = False
    """Whether tag keys that differ in case alone are different ones."""
    missing: str = "The {kind} with name {name} cannot be found."
    taken: str = "{noun} with name {name} already exists."
    _space: Subspace = field(init=False, repr=False)
    _decoder: msgspec.msgpack.Decoder[E] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_space", Subspace(self.record.kind))
        object.__setattr__(self, "_decoder", msgspec.msgpack.Decoder(self.record))

    @property
    def noun(self) -> str:
        """The noun in names of operations and members."""
        return self.name_member.removesuffix("Name")

    def get_space(self, account: str) -> Subspace:
        """Return the subspace of an account, in the order of names."""
        return self._space.sub(account)

    def decode(self, raw: bytes) -> E:
        """Return a stored record."""
        return self._decoder.decode(raw)

    async def find(self, tx: Transaction, account: str, name: str) -> E | None:
        """Return the one with a name, in whatever case, or None."""
        raw = await tx.get(self._space.key(account, name.lower()))
        return None if raw is None else self.decode(raw)

    async def get(self, tx: Transaction, account: str, name: str) -> E:
        """Return the one with a name, in whatever case. Raises AwsError where there is none."""
        found = await self.find(tx, account, name)
        if found is None:
            raise errors.no_such_entity(self._word(self.missing, name))
        return found

    async def list_all(self, tx: Transaction, account: str) -> list[E]:
        """Return all of an account in the order of names, where they are few."""
        space = self.get_space(account)
        return [self.decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=self.max_entities)]

    async def get_named(self, ctx: Context, tx: Transaction, params: Params) -> E:
        """Return the one that a request names. Raises AwsError where there is none."""
        return await self.get(tx, ctx.account, params[self.name_member])

    async def get_modifiable(self, ctx: Context, tx: Transaction, params: Params) -> E:
        """Return the one that a request would change. Raises AwsError where there is none, or it is a service's own."""
        found = await self.get_named(ctx, tx, params)
        check_modifiable(found)
        return found

    def make(self, ctx: Context, params: Params, **more: object) -> E:
        """Return a new one by the name, the path and the tags of a request. Raises AwsError."""
        return self.record(
            account=ctx.account,
            partition=partition_of(ctx.region),
            name=params[self.name_member],
            path=params.get("Path") or "/",
            id=self.id_prefix + ids.token(17),
            created=ctx.now(),
            tags=tagging.merge({}, params.get("Tags"), is_by_case=self.is_tagged_by_case),
            **more,
        )

    async def add(self, tx: Transaction, entity: E) -> None:
        """Write a new one. Raises AwsError where its name is taken or there are too many."""
        await self.check_free(tx, entity.account, entity.name)
        if await self.count(tx, entity.account) >= self.max_entities:
            raise errors.make_quota_error(self.quota, self.max_entities)
        tx.add(self._count_key(entity.account), 1)
        self.save(tx, entity)

    async def check_free(self, tx: Transaction, account: str, name: str) -> None:
        """Raise AwsError where a name is taken, in whatever case."""
        if await self.find(tx, account, name) is not None:
            raise errors.already_exists(self._word(self.taken, name))

    def save(self, tx: Transaction, entity: E) -> None:
        """Write one that is there already."""
        tx.put(self._space.key(entity.account, entity.key), _encode(entity))

    def move(self, tx: Transaction, entity: E, renamed: E) -> None:
        """Write one under another name."""
        tx.delete(self._space.key(entity.account, entity.key))
        self.save(tx, renamed)

    def remove(self, tx: Transaction, entity: E) -> None:
        """Delete one."""
        tx.delete(self._space.key(entity.account, entity.key))
        tx.add(self._count_key(entity.account), -1)

    async def count(self, tx: Transaction, account: str) -> int:
        """Return how many an account has."""
        return await tx.counter(self._count_key(account))

    def _count_key(self, account: str) -> bytes:
        return _COUNTS.key(account, self.record.kind)

    def _word(self, message: str, name: str) -> str:
        return message.format(kind=self.record.kind, noun=self.noun, name=name)


USERS: Final = Kind(User, "UserName", "AIDA", limits.MAX_USERS, "UsersPerAccount")
GROUPS: Final = Kind(Group, "GroupName", "AGPA", limits.MAX_GROUPS, "GroupsPerAccount")
ROLES: Final = Kind(Role, "RoleName", "AROA", limits.MAX_ROLES, "RolesPerAccount")
INSTANCE_PROFILES: Final = Kind(
    InstanceProfile,
    "InstanceProfileName",
    "AIPA",
    limits.MAX_INSTANCE_PROFILES,
    "InstanceProfilesPerAccount",
    True,
    "Instance Profile {name} cannot be found.",
    "Instance Profile {name} already exists.",
)
POLICIES: Final = Kind(
    ManagedPolicy,
    "PolicyName",
    "ANPA",
    limits.MAX_POLICIES,
    "PoliciesPerAccount",
    True,
    taken="A policy called {name} already exists. Duplicate names are not allowed.",
)

IDENTITIES: Final[dict[str, Kind[Any]]] = {kind.record.kind: kind for kind in (USERS, GROUPS, ROLES)}
"""Kinds that policies are attached to, by the resource types in their ARNs."""


def is_service_linked(entity: Entity) -> bool:
    """Whether a role belongs to a service, which alone may change it."""
    return entity.path.startswith(_SERVICE_PATH)


def check_modifiable(entity: Entity) -> None:
    """Raise AwsError for a role that belongs to a service."""
    if is_service_linked(entity):
        raise errors.make_protected_error(entity.name)


def describe(entity: Entity) -> Mapping[str, object]:
    """Return what answers have of every kind but its name and id."""
    return {"Path": entity.path, "Arn": entity.arn, "CreateDate": entity.created}
