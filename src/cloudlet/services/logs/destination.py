"""Logs destinations: a stream of one account that the subscription filters of others deliver to.

API reference, "PutDestination"; user guide, "Cross-account cross-Region subscriptions".
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from cloudlet.core import Arn, AwsError, Context, Subspace, Transaction
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.permissions import EVERYTHING
from cloudlet.core.authorization.resource_policy import decide, parse_policy
from cloudlet.core.aws import iso8601, listing
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.policy import NamedPolicy, Policies, PolicyError, Request, evaluate
from cloudlet.core.kernel.identity import Kind, Principal, root
from cloudlet.services.logs import errors
from cloudlet.services.logs.subscription import Subscription

_DESTINATIONS = Subspace("destination")
_POLICY_BYTES = 5120
_ACTION = "logs:PutSubscriptionFilter"


class Destination(msgspec.Struct, array_like=True):
    """A destination."""

    account: str
    region: str
    name: str
    target: str
    """An ARN."""
    role: str
    created: int
    """In milliseconds since the epoch."""
    policy: str | None = None
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return str(Arn(partition_of(self.region), "logs", self.region, self.account, f"destination:{self.name}"))

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "destinationName": self.name,
            "targetArn": self.target,
            "roleArn": self.role,
            "accessPolicy": self.policy,
            "arn": self.arn,
            "creationTime": self.created,
        }


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Destination).decode


def save(tx: Transaction, made: Destination) -> None:
    """Store a destination."""
    tx.put(_DESTINATIONS.key(made.account, made.region, made.name), _encode(made))


async def find(tx: Transaction, account: str, region: str, name: str) -> Destination | None:
    """Return a destination."""
    raw = await tx.get(_DESTINATIONS.key(account, region, name))
    return None if raw is None else _decode(raw)


async def of_arn(tx: Transaction, arn: Arn) -> Destination | None:
    """Return the destination that an ARN names."""
    return await find(tx, arn.account, arn.region, arn.resource.removeprefix("destination:"))


async def named(ctx: Context, tx: Transaction, name: str) -> Destination:
    """Return a destination of the caller's. Raises AwsError."""
    found = await find(tx, ctx.account, ctx.region, name)
    if found is None:
        raise missing()
    return found


def missing() -> AwsError:
    """Return the error of a destination that is not there."""
    return AwsError("ResourceNotFoundException", "The specified destination does not exist.")


def remove(tx: Transaction, made: Destination) -> None:
    """Remove a destination: filters that deliver to it do so no more."""
    tx.delete(_DESTINATIONS.key(made.account, made.region, made.name))


async def page(tx: Transaction, ctx: Context, prefix: str, after: str, count: int) -> list[Destination]:
    """Return destinations in the order of their names: those with a prefix, after a name."""
    rows = await listing.list_names(tx, _DESTINATIONS.sub(ctx.account, ctx.region), prefix, after, count)
    return [_decode(raw) for _, raw in rows]


def checked_policy(text: str) -> str:
    """Return a policy to store. Raises AwsError."""
    if len(text.encode()) > _POLICY_BYTES:
        raise errors.invalid(f"An access policy has {_POLICY_BYTES} bytes at most.")
    try:
        parse_policy(text)
    except PolicyError as error:
        raise errors.invalid(f"The access policy is invalid: {error}") from None
    return text


def authorize(ctx: Context, made: Destination) -> None:
    """Raise unless the caller may have a subscription filter deliver to a destination.

    Its own account needs no allowance by its policy; others do, besides their own.
    """
    if not ctx.strict:
        return
    decision = decide(ctx, _ACTION, made.arn, made.account, made.policy)
    if not decision.allowed:
        raise deny(ctx, "logs", decision)


def takes_from(made: Destination, filter: Subscription, now: float) -> bool:
    """Whether a destination still takes the events of a filter: its policy may have changed since that was made.

    User guide, "Update destination membership at runtime". `now` is in seconds since the epoch. What the maker of the
    filter may do himself was decided when he made it.
    """
    sender = root(filter.account)
    if filter.maker is not None:
        kind, arn, user_id = filter.maker
        sender = Principal(cast(Kind, kind), filter.account, arn, user_id)
    keys = {
        "aws:CurrentTime": iso8601.second(int(now)),
        "aws:EpochTime": str(int(now)),
        "aws:PrincipalAccount": filter.account,
        "aws:PrincipalArn": sender.arn,
        "aws:RequestedRegion": filter.region,
        "aws:ResourceAccount": made.account,
        "aws:userid": sender.user_id,
    }
    policy = None if made.policy is None else NamedPolicy(made.arn, parse_policy(made.policy))
    request = Request(sender, _ACTION, made.arn, keys, made.account)
    return evaluate(request, Policies(identity=EVERYTHING.identity, resource=policy)).allowed
