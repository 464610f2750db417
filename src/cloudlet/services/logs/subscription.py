"""Subscription filters, of log groups and of accounts, as they are stored. API reference, "PutSubscriptionFilter"."""

from __future__ import annotations

import msgspec

from cloudlet.core import AwsError, Context, Params, Subspace, Transaction
from cloudlet.services.logs import errors, filtering, outbox, patterns
from cloudlet.services.logs import group as groups
from cloudlet.services.logs.group_record import Group

MOST = 2
_MOST_WITH_REGEX = 5
_SUBSCRIPTIONS, _NAMES = Subspace("subscription"), Subspace("subscription-name")
_NOT_BUILT = ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFields")


class Subscription(msgspec.Struct, array_like=True):
    """Which events are delivered, and where to."""

    id: int
    account: str
    region: str
    group: str
    """The name of its log group; empty for one of an account."""
    name: str
    pattern: str
    destination: str
    """An ARN."""
    role: str | None
    distribution: str
    created: int
    """In milliseconds since the epoch."""
    audits: str = ""
    """The data protection policy by which it looks for sensitive data and reports it, instead of delivering."""
    maker: tuple[str, str, str] | None = None
    """The kind, the ARN and the user id of who has made it: a destination's policy may say who may."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Subscription).decode


def checked(ctx: Context, params: Params) -> Subscription:
    """Return the filter that a request is about, without a number yet. Raises AwsError."""
    for name in _NOT_BUILT:
        if params.get(name):
            raise errors.not_built(f"subscription filters with {name}")
    filtering.pattern_of(params["filterPattern"])
    return Subscription(
        0,
        ctx.account,
        ctx.region,
        params["logGroupName"],
        params["filterName"],
        params["filterPattern"],
        params["destinationArn"],
        params.get("roleArn"),
        params.get("distribution") or "ByLogStream",
        int(ctx.now() * 1000),
        maker=(ctx.principal.kind, ctx.principal.arn, ctx.principal.user_id),
    )


async def put(tx: Transaction, group: Group, made: Subscription) -> None:
    """Store a filter of a group, in place of one with its name. Raises AwsError where there are too many."""
    known = {one.name: one for one in await of_group(tx, group)}
    old = known.pop(made.name, None)
    if len(known) >= MOST:
        raise AwsError("LimitExceededException", "Resource limit exceeded.")
    with_regex = sum(1 for one in known.values() if _has_regex(one.pattern))
    if _has_regex(made.pattern) and with_regex >= _MOST_WITH_REGEX:
        raise AwsError("LimitExceededException", "Resource limit exceeded.")
    if old is not None:
        made.id, made.created = old.id, old.created
    else:
        made.id = await groups.new_id(tx)
        group.subscriptions.append(made.id)
        groups.save(tx, group)
    tx.put(_NAMES.key(group.id, made.name), made.id.to_bytes(8, "big"))
    save(tx, made)


def _has_regex(pattern: str) -> bool:
    return patterns.parse(pattern).regexes > 0


def save(tx: Transaction, made: Subscription) -> None:
    """Store what a number means."""
    tx.put(_SUBSCRIPTIONS.key(made.id), _encode(made))


async def find(tx: Transaction, number: int) -> Subscription | None:
    """Return the filter that has a number; None where it is gone."""
    raw = await tx.get(_SUBSCRIPTIONS.key(number))
    return None if raw is None else _decode(raw)


async def of_group(tx: Transaction, group: Group) -> list[Subscription]:
    """Return the filters of a group, in the order of their names."""
    space = _NAMES.sub(group.id)
    rows = await tx.range(space.begin, space.end, limit=MOST)
    found = [await find(tx, int.from_bytes(raw, "big")) for _, raw in rows]
    return [one for one in found if one is not None]


async def remove(tx: Transaction, group: Group, name: str) -> None:
    """Remove a filter of a group. Raises AwsError."""
    raw = await tx.get(_NAMES.key(group.id, name))
    if raw is None:
        raise AwsError("ResourceNotFoundException", "The specified subscription filter does not exist.")
    number = int.from_bytes(raw, "big")
    tx.delete(_NAMES.key(group.id, name))
    forget(tx, number)
    group.subscriptions.remove(number)
    groups.save(tx, group)


async def put_audit(ctx: Context, tx: Transaction, number: int, group: str, name: str, policy: str) -> int:
    """Store what audits new events by a policy, in place of what has a number; return its number."""
    number = number or await groups.new_id(tx)
    now = int(ctx.now() * 1000)
    save(tx, Subscription(number, ctx.account, ctx.region, group, name, "", "", None, "ByLogStream", now, policy))
    return number


def forget(tx: Transaction, number: int) -> None:
    """Remove what a number means: what waits for it goes too, later on."""
    tx.delete(_SUBSCRIPTIONS.key(number))
    tx.notify(outbox.TOPIC)


def remove_all(tx: Transaction, group: Group) -> None:
    """Remove the filters of a group."""
    space = _NAMES.sub(group.id)
    tx.delete_range(space.begin, space.end)
    for number in (*group.subscriptions, group.audit):
        forget(tx, number)
