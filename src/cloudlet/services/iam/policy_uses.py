"""The uses of managed policies, as permissions policies and as boundaries."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.services.iam.entity_record import Identity

Usage = Literal["PermissionsPolicy", "PermissionsBoundary"]
USAGES: Final[tuple[Usage, ...]] = ("PermissionsPolicy", "PermissionsBoundary")
_USES: Final = Subspace("policy-use")
_MAX_ROWS: Final = 20_000
"""More than an account can have users, groups and roles, in both ways."""
_COUNTS: Final = Subspace("policy-use-count")


class Use(NamedTuple):
    """A use of a policy by a user, a group or a role."""

    usage: Usage
    kind: str
    key: str


async def list_uses(tx: Transaction, account: str, arn: str) -> list[Use]:
    """Return the uses of a policy in an account."""
    space = _USES.sub(account, arn)
    rows = await tx.range(space.begin, space.end, limit=_MAX_ROWS)
    return [Use(*space.unpack(key)) for key, _ in rows]


def add(tx: Transaction, arn: str, usage: Usage, user: Identity) -> None:
    """Note a use that is new."""
    tx.put(_USES.key(user.account, arn, usage, user.kind, user.key), b"")
    tx.add(_COUNTS.key(user.account, arn, usage), 1)


def remove(tx: Transaction, arn: str, usage: Usage, user: Identity) -> None:
    """Forget a use that is noted."""
    tx.delete(_USES.key(user.account, arn, usage, user.kind, user.key))
    tx.add(_COUNTS.key(user.account, arn, usage), -1)


def move(tx: Transaction, identity: Identity, renamed: Identity) -> None:
    """Note all uses under another name."""
    for arn in identity.attached:
        remove(tx, arn, "PermissionsPolicy", identity)
        add(tx, arn, "PermissionsPolicy", renamed)
    if identity.boundary:
        remove(tx, identity.boundary, "PermissionsBoundary", identity)
        add(tx, identity.boundary, "PermissionsBoundary", renamed)


async def count(tx: Transaction, account: str, arn: str, usage: Usage) -> int:
    """Return how often a policy is used so in an account."""
    return await tx.counter(_COUNTS.key(account, arn, usage))
