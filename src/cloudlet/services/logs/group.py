"""Log groups, by their names."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cloudlet.core import Arn, Context, Params, Subspace, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.logs import errors, group_record
from cloudlet.services.logs.group_record import Group
from cloudlet.store import pack

_GROUPS: Final = Subspace("group")
_BYTES: Final = Subspace("bytes")
_LAST_ID: Final = pack(("last-id",))
_CACHED_KEYS: Final = 4096


@lru_cache(_CACHED_KEYS)
def _key(account: str, region: str, name: str) -> bytes:
    return _GROUPS.key(account, region, name)


async def new_id(tx: Transaction) -> int:
    """Return a number that no group and no stream has had."""
    last = int.from_bytes(await tx.get(_LAST_ID) or b"", "big") + 1
    tx.put(_LAST_ID, last.to_bytes(8, "big"))
    return last


async def find(tx: Transaction, account: str, region: str, name: str) -> Group | None:
    """Return a log group."""
    raw = await tx.get(_key(account, region, name))
    return None if raw is None else group_record.decode(raw)


async def named(ctx: Context, tx: Transaction, name: str) -> Group:
    """Return a log group of the caller's. Raises AwsError."""
    group = await find(tx, ctx.account, ctx.region, name)
    if group is None:
        raise errors.no_group()
    return group


async def identified(ctx: Context, tx: Transaction, params: Params) -> Group:
    """Return the log group that a request names by its name, or by its name or ARN. Raises AwsError."""
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise errors.invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")
    return await named(ctx, tx, name_of(ctx, identifier or "") if name is None else name)


def name_of(ctx: Context, identifier: str) -> str:
    """Return the name of a log group that is given by its name or ARN. Raises AwsError."""
    if not identifier.startswith("arn:"):
        return identifier
    try:
        arn = Arn.parse(identifier)
    except ValueError:
        raise errors.invalid(f"The ARN {identifier} is invalid.") from None
    kind, _, name = arn.resource.partition(":")
    if arn.service != "logs" or kind != "log-group" or not name:
        raise errors.invalid(f"The ARN {identifier} is not one of a log group.")
    if (arn.account, arn.region) != (ctx.account, ctx.region):
        raise errors.no_group()
    return name.removesuffix(":*")


def save(tx: Transaction, group: Group) -> None:
    """Store a log group."""
    tx.put(_GROUPS.key(group.account, group.region, group.name), group_record.encode(group))


def remove(tx: Transaction, group: Group) -> None:
    """Remove the row of a log group."""
    tx.delete(_GROUPS.key(group.account, group.region, group.name))
    tx.delete(_BYTES.key(group.id))


async def page(tx: Transaction, account: str, region: str, prefix: str, after: str, count: int) -> list[Group]:
    """Return log groups in the order of their names: those that begin with a prefix, after a name."""
    rows = await listing.list_names(tx, _GROUPS.sub(account, region), prefix, after, count)
    return [group_record.decode(raw) for _, raw in rows]


async def all_after(tx: Transaction, after: bytes, count: int) -> list[tuple[bytes, bytes]]:
    """Return the groups of all accounts, as they are stored, with their keys, after a key."""
    return await tx.range(after + b"\x00" if after else _GROUPS.begin, _GROUPS.end, limit=count)


def add_bytes(tx: Transaction, group: int, size: int) -> None:
    """Note how many bytes of events have come, or (negative) gone."""
    tx.add(_BYTES.key(group), size)


async def stored_bytes(tx: Transaction, group: Group) -> int:
    """Return how many bytes the events of a group have, as PutLogEvents counts them."""
    return await tx.counter(_BYTES.key(group.id))
