"""Schedule groups: what is stored of them. The group `default` is always there."""

from __future__ import annotations

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.records import Records
from cloudlet.services.scheduler import errors

DEFAULT = "default"
GROUPS = 500
"""Of an account in a region, at most (user guide, "Quotas")."""


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
        return make_arn(self.account, self.region, self.name)


def make_arn(account: str, region: str, name: str) -> str:
    """Return the ARN of the group with a name."""
    return f"arn:{partition_of(region)}:scheduler:{region}:{account}:schedule-group/{name}"


_groups = Records(Subspace("group"), Group, lambda name: errors.not_found(f"Schedule group {name}"))
decode, of_account, find = _groups.decode, _groups.get_space, _groups.find
save, remove = _groups.save, _groups.remove


async def get(ctx: Context, tx: Transaction, name: str) -> Group:
    """Return a group of the caller's. Raises ResourceNotFoundException."""
    if name == DEFAULT:
        return await default(ctx, tx)
    return await _groups.get(tx, ctx.account, ctx.region, name)


async def default(ctx: Context, tx: Transaction) -> Group:
    """Return the group that every account has; it is created when somebody first looks."""
    found = await find(tx, ctx.account, ctx.region, DEFAULT)
    if found is None:
        found = Group(ctx.account, ctx.region, DEFAULT, ctx.now(), ctx.now())
        save(tx, found)
    return found
