"""Resources of all kinds, with ids, tags, and others that they depend on.

A kind of resource is one `Kind`: its record, how AWS's API shows it, and the words of its errors. Beside each record
stand rows that tell what depends on what, by which resources are found and their deletion is refused.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.listing import list_names
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.ec2 import reconciling
from cloudlet.services.ec2.errors import DependencyViolation, QuotaError

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_ID: Final = re.compile(r"([0-9a-f]{8}|[0-9a-f]{17})")
_MAX_DEPENDENTS: Final = 10_000
_DEPENDENTS: Final = Subspace("dependent")
_encode: Final = msgspec.msgpack.Encoder().encode


class Scope(Protocol):
    """An account in a region: a call's, or one that a job works for."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def block(self) -> Block: ...


@dataclass(frozen=True, slots=True)
class Place:
    """An account in a region, which no call is made for."""

    account: str
    region: str
    block: Block


class Resource(msgspec.Struct, kw_only=True):
    """A stored resource."""

    account: str
    region: str
    name: str
    """The id."""
    tags: dict[str, str] = {}
    parents: list[str] = []
    """The rows that are there of what it depends on."""
    token: str = ""
    """The operation and client token that made it, with a digest of the request."""

    def list_parents(self) -> Iterable[str]:
        """Return what it depends on: ids, or texts that it is to be found by."""
        return ()

    @property
    def network(self) -> str:
        """The VPC whose real network it has a part in; none for most."""
        return ""


R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[R]):
    """A kind of resource."""

    record: type[R]
    prefix: str
    """The beginning of ids."""
    resource_type: str
    """The name in tag specifications and ARNs."""
    noun: str
    """The word in messages."""
    code: str
    """The beginning of error codes: "InvalidVpcID"."""
    show: Callable[[Context, Transaction, R], Awaitable[dict[str, Any]]]
    """Return the shape of AWS's API."""
    answer: str = ""
    """The member of answers with such resources: "Vpcs"."""
    ids: str = ""
    """The member of requests with ids."""
    filters: Mapping[str, str] = field(default_factory=dict)
    """Filters by name, with paths where the name does not say what is compared."""
    absent: Callable[[str], AwsError] | None = None
    """The error for an unknown id, where it is worded in another way."""
    malformed: str = ""
    """The error code for what is no id, where it begins in another way."""
    tag_member: str = "Tags"
    is_visible: Callable[[Scope, R], bool] = lambda scope, record: True
    """Whether a record is still there."""

    # Finding

    @property
    def _space(self) -> Subspace:
        return Subspace(self.prefix)

    def get_space(self, scope: Scope) -> Subspace:
        """Return the rows of an account in a region."""
        return self._space.sub(scope.account, scope.region)

    def decode(self, raw: bytes) -> R:
        """Return a stored record."""
        return msgspec.msgpack.decode(raw, type=self.record)

    async def find(self, scope: Scope, tx: Transaction, name: str) -> R | None:
        """Return a resource, or None where there is none."""
        raw = await tx.get(self._space.key(scope.account, scope.region, name))
        found = None if raw is None else self.decode(raw)
        return found if found is not None and self.is_visible(scope, found) else None

    async def get(self, scope: Scope, tx: Transaction, name: str) -> R:
        """Return a resource. Raises AwsError for what is no id, and where there is none."""
        prefix, dash, rest = name.rpartition("-")
        if not dash or prefix != self.prefix or not _ID.fullmatch(rest):
            code = self.malformed or f"{self.code}.Malformed"
            raise AwsError(code, f'Invalid id: "{name}" (expecting "{self.prefix}-...")')
        found = await self.find(scope, tx, name)
        if found is None:
            raise self.make_absent(name)
        return found

    def make_absent(self, name: str) -> AwsError:
        """Return the error for an id that no resource has."""
        if self.absent is not None:
            return self.absent(name)
        return AwsError(f"{self.code}.NotFound", f"The {self.noun} ID '{name}' does not exist")

    async def list_all(self, scope: Scope, tx: Transaction, limit: int = _MAX_DEPENDENTS) -> list[R]:
        """Return the resources of an account in a region."""
        space = self.get_space(scope)
        found = [self.decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=limit)]
        return [each for each in found if self.is_visible(scope, each)]

    async def list_dependent(self, scope: Scope, tx: Transaction, parent: str) -> list[R]:
        """Return the resources of this kind that depend on another one."""
        names = await list_dependents(scope, tx, parent, f"{self.prefix}-")
        return [found for name in names if (found := await self.find(scope, tx, name)) is not None]

    # Changing

    def make_id(self) -> str:
        """Return a new id."""
        return f"{self.prefix}-0{random_bytes(8).hex()}"

    def save(self, tx: Transaction, record: R, *, is_reconciled: bool = False) -> None:
        """Write a record, and what it depends on. Its network is reconciled, unless it is so."""
        wanted = sorted({each for each in record.list_parents() if each})
        if record.token:
            wanted.append(record.token.rpartition("#")[0])
        _write_parents(tx, record, set(record.parents), set(wanted))
        record.parents = wanted
        tx.put(self._space.key(record.account, record.region, record.name), _encode(record))
        if record.network and not is_reconciled:
            reconciling.request(tx, record.account, record.region, record.network)

    def remove(self, tx: Transaction, record: R) -> None:
        """Delete a record."""
        _write_parents(tx, record, set(record.parents), set())
        tx.delete(self._space.key(record.account, record.region, record.name))
        if record.network:
            reconciling.request(tx, record.account, record.region, record.network)

    async def check_quota(
        self, scope: Scope, tx: Transaction, limit: int, code: str, what: str, parent: str | None = None
    ) -> None:
        """Raise AwsError where all or those of a parent are as many as may be."""
        if parent is None:
            space = self.get_space(scope)
            count = len(await tx.range(space.begin, space.end, limit=limit))
        else:
            count = len(await list_dependents(scope, tx, parent, f"{self.prefix}-", limit))
        if count >= limit:
            raise QuotaError(code, what)

    async def check_free(self, scope: Scope, tx: Transaction, name: str) -> None:
        """Raise AwsError where others depend on a resource."""
        if await list_dependents(scope, tx, name, limit=1):
            raise DependencyViolation(self.noun, name)

    def make_arn(self, record: R) -> str:
        """Return the ARN of a resource."""
        place = f"{partition_of(record.region)}:ec2:{record.region}:{record.account}"
        return f"arn:{place}:{self.resource_type}/{record.name}"


def _write_parents(tx: Transaction, record: Resource, before: set[str], after: set[str]) -> None:
    for parent in before - after:
        tx.delete(_DEPENDENTS.key(record.account, record.region, parent, record.name))
    for parent in after - before:
        tx.put(_DEPENDENTS.key(record.account, record.region, parent, record.name), b"")


async def list_dependents(
    scope: Scope, tx: Transaction, parent: str, prefix: str = "", limit: int = _MAX_DEPENDENTS
) -> list[str]:
    """Return the ids of what depends on a resource, those with a prefix."""
    space = _DEPENDENTS.sub(scope.account, scope.region, parent)
    return [str(space.unpack(key)[0]) for key, _ in await list_names(tx, space, prefix, "", limit)]


async def get_associated(scope: Scope, tx: Transaction, association: str, kind: str) -> str:
    """Return the id of what has an association of a kind, by that one's id. Raises AwsError."""
    found = await list_dependents(scope, tx, association, limit=1) if association.startswith(f"{kind}-") else []
    if not found:
        raise AwsError("InvalidAssociationID.NotFound", f"The association ID '{association}' does not exist")
    return found[0]


def to_tag_list(record: Resource) -> list[dict[str, str]]:
    """Return tags as the API has them."""
    return [{"Key": key, "Value": value} for key, value in record.tags.items()]
