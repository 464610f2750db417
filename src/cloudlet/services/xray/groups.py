"""Groups: filter expressions with names.

API reference, "CreateGroup"; developer guide, "Configuring groups". An account has the group Default from the start.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.core.kernel.ids import token
from cloudlet.services.xray import filter_grammar
from cloudlet.services.xray.errors import invalid
from cloudlet.services.xray.filtering import Groups

DEFAULT = "Default"
_MOST = 25
"""Besides Default."""
_GROUPS = Subspace("group")
"""Account, region, name → Group."""


class Group(msgspec.Struct, frozen=True):
    """What is stored of a group."""

    name: str
    arn: str
    filter: str = ""

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "GroupName": self.name,
            "GroupARN": self.arn,
            "FilterExpression": self.filter or None,
            "InsightsConfiguration": {"InsightsEnabled": False, "NotificationsEnabled": False},
        }


_decode = msgspec.msgpack.Decoder(Group).decode


def new(ctx: Context, name: str, expression: str) -> Group:
    """Return a group that is not stored. Raises AwsError for an expression that is none."""
    filter_grammar.parse(expression)
    return Group(name, make_arn(ctx, name, token(26)), expression)


def make_arn(ctx: Context, name: str, identity: str) -> str:
    """Return the ARN of a group, which ends in an id."""
    return str(Arn(partition_of(ctx.region), "xray", ctx.region, ctx.account, f"group/{name}/{identity}"))


def _default(ctx: Context) -> Group:
    return Group(DEFAULT, str(Arn(partition_of(ctx.region), "xray", ctx.region, ctx.account, "group/Default")))


async def listed(ctx: Context, tx: Transaction) -> list[Group]:
    """Return all groups."""
    space = _GROUPS.sub(ctx.account, ctx.region)
    stored = [_decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MOST + 1)]
    return [_default(ctx), *stored]


async def find(ctx: Context, tx: Transaction, name: str | None, arn: str | None) -> Group:
    """Return the group of a name or an ARN. Raises AwsError."""
    found = await get(ctx, tx, name, arn)
    if found is None:
        raise invalid("Group not found")
    return found


async def get(ctx: Context, tx: Transaction, name: str | None, arn: str | None) -> Group | None:
    """Return the group of a name or an ARN, if it is there. Raises AwsError where neither is given."""
    if name is None and arn is None:
        raise invalid("Either GroupName or GroupARN is required")
    for group in await listed(ctx, tx):
        if name in (None, group.name) and arn in (None, group.arn):
            return group
    return None


async def add(ctx: Context, tx: Transaction, group: Group) -> None:
    """Store a new group. Raises AwsError where there is one of its name, or too many."""
    others = await listed(ctx, tx)
    if any(other.name == group.name for other in others):
        raise invalid(f"Group with name '{group.name}' already exists")
    if len(others) > _MOST:
        raise invalid("Maximum number of groups reached")
    save(ctx, tx, group)


def save(ctx: Context, tx: Transaction, group: Group) -> None:
    """Store a group as it is now."""
    tx.put(_GROUPS.key(ctx.account, ctx.region, group.name), msgspec.msgpack.encode(group))


def remove(ctx: Context, tx: Transaction, group: Group) -> None:
    """Forget a group. Raises AwsError for Default."""
    if group.name == DEFAULT:
        raise invalid("The default group cannot be deleted")
    tx.delete(_GROUPS.key(ctx.account, ctx.region, group.name))


async def filters(ctx: Context, tx: Transaction) -> Groups:
    """Return the filters of all groups, by name and by ARN."""
    return {
        key: filter_grammar.parse(group.filter) for group in await listed(ctx, tx) for key in (group.name, group.arn)
    }
