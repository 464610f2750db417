"""Schedule groups: what is stored of them. The group `default` is always there."""

from __future__ import annotations

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.arn import partition_of
from cloudlet.services.scheduler import errors

DEFAULT = "default"
GROUPS = 500
"""Of an account in a region, at most (user guide, "Quotas")."""

_GROUPS = Subspace("group")


class Group(msgspec.Struct, frozen=True):
    """A schedule group. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    created: float
    modified: float
    token: str = ""
    """The ClientToken of the request that created it."""
    is_going: bool = False
    """Whether it and its schedules are being deleted."""

    @property
    def arn(self) -> str:
        return f"arn:{partition_of(self.region)}:scheduler:{self.region}:{self.account}:schedule-group/{self.name}"


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Group).decode


def of_account(account: str, region: str) -> Subspace:
    """The groups of an account in a region."""
    return _GROUPS.sub(account, region)


def save(tx: Transaction, group: Group) -> None:
    tx.put(of_account(group.account, group.region).key(group.name), _encode(group))


def remove(tx: Transaction, group: Group) -> None:
    tx.delete(of_account(group.account, group.region).key(group.name))


async def find(tx: Transaction, account: str, region: str, name: str) -> Group | None:
    """Return a group that was created, or None."""
    raw = await tx.get(of_account(account, region).key(name))
    return None if raw is None else decode(raw)


async def get(ctx: Context, tx: Transaction, name: str) -> Group:
    """Return a group of the caller's. Raises ResourceNotFoundException."""
    if name == DEFAULT:
        return await default(ctx, tx)
    found = await find(tx, ctx.account, ctx.region, name)
    if found is None:
        raise errors.not_found(f"Schedule group {name}")
    return found


async def default(ctx: Context, tx: Transaction) -> Group:
    """Return the group that every account has; it is created when somebody first looks."""
    found = await find(tx, ctx.account, ctx.region, DEFAULT)
    if found is None:
        found = Group(ctx.account, ctx.region, DEFAULT, ctx.now(), ctx.now())
        save(tx, found)
    return found
