"""Resource policies: who besides the account's own principals may send segments.

API reference, "PutResourcePolicy".
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.authorization.resource_policy import decide, parse_policy
from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.core.aws.policy import PolicyError, Reason
from cloudlet.services.xray.errors import invalid

_MOST = 5
_MOST_BYTES = 5 * 1024
_NONE_YET = "0"
"""The revision of a policy that is not there."""
_POLICIES = Subspace("resource-policy")
"""Account, region, name → Policy."""


class Policy(msgspec.Struct, frozen=True):
    """What is stored of a policy. `updated` is in seconds since the epoch."""

    name: str
    text: str
    revision: str
    updated: float

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "PolicyName": self.name,
            "PolicyDocument": self.text,
            "PolicyRevisionId": self.revision,
            "LastUpdatedTime": self.updated,
        }


_decode = msgspec.msgpack.Decoder(Policy).decode


async def listed(ctx: Context, tx: Transaction) -> list[Policy]:
    """Return all policies."""
    space = _POLICIES.sub(ctx.account, ctx.region)
    return [_decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MOST)]


async def put(ctx: Context, tx: Transaction, name: str, text: str, revision: str | None, *, bypass: bool) -> Policy:
    """Store a policy. Raises AwsError for one that is none, that shuts its author out, or of another revision."""
    if len(text.encode()) > _MOST_BYTES:
        raise AwsError("PolicySizeLimitExceededException", f"A policy has {_MOST_BYTES} bytes at most.")
    try:
        parse_policy(text)
    except PolicyError as error:
        raise AwsError("MalformedPolicyDocumentException", str(error)) from None
    policies = await listed(ctx, tx)
    old = next((policy for policy in policies if policy.name == name), None)
    _check_revision(old, revision)
    if old is None and len(policies) >= _MOST:
        raise AwsError("PolicyCountLimitExceededException", f"There are {_MOST} policies at most.")
    if not bypass and _shuts_out(ctx, name, text):
        raise AwsError("LockoutPreventionException", "The policy would deny you to change it.")
    policy = Policy(name, text, str(1 if old is None else int(old.revision) + 1), ctx.now())
    tx.put(_POLICIES.key(ctx.account, ctx.region, name), msgspec.msgpack.encode(policy))
    return policy


def _shuts_out(ctx: Context, name: str, text: str) -> bool:
    arn = str(Arn(partition_of(ctx.region), "xray", ctx.region, ctx.account, f"resource-policy/{name}"))
    return decide(ctx, "xray:PutResourcePolicy", arn, ctx.account, text).reason is Reason.EXPLICIT_DENY


def _check_revision(old: Policy | None, revision: str | None) -> None:
    if revision is not None and revision != (_NONE_YET if old is None else old.revision):
        raise AwsError("InvalidPolicyRevisionIdException", "The policy has another revision.")


async def remove(ctx: Context, tx: Transaction, name: str, revision: str | None) -> None:
    """Forget a policy. Raises AwsError where there is none of its name, or of another revision."""
    old = next((policy for policy in await listed(ctx, tx) if policy.name == name), None)
    if old is None:
        raise invalid(f"Policy {name} does not exist")
    _check_revision(old, revision)
    tx.delete(_POLICIES.key(ctx.account, ctx.region, name))
