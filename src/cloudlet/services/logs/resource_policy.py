"""Resource policies: which services of AWS may put events into log groups. API reference, "PutResourcePolicy".

They are about services that call as themselves. Those that take on a role to write logs need none.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.authorization.resource_policy import decide, parse_policy
from cloudlet.core.aws import listing
from cloudlet.core.aws.policy import PolicyError, Reason
from cloudlet.services.logs import errors, resource_policy_record
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.resource_policy_record import OF_ACCOUNT, OF_RESOURCE, Policy

_POLICIES: Final = Subspace("resource-policy")
"""Account, region, scope, name or ARN → Policy."""
_MOST: Final = 10
_MOST_BYTES: Final = {OF_ACCOUNT: 5120, OF_RESOURCE: 51_200}
_BY_ROLE: Final = ("cloudtrail.amazonaws.com", "lambda.amazonaws.com", "logs.amazonaws.com", "sns.amazonaws.com")
"""Who writes logs by a role that was given to him."""


async def put(
    ctx: Context, tx: Transaction, name: str | None, arn: str | None, text: str, revision: str | None
) -> Policy:
    """Store a policy. Raises AwsError."""
    scope, key = _key(name, arn)
    try:
        if len(text.encode()) > _MOST_BYTES[scope]:
            raise errors.invalid(f"A resource policy has {_MOST_BYTES[scope]} bytes at most.")
        parse_policy(text)
    except PolicyError as error:
        raise errors.invalid(f"The policy document is invalid: {error}") from None
    others = await listed(ctx, tx, scope, "", _MOST)
    old = await _find(ctx, tx, scope, key)
    if scope == OF_ACCOUNT and old is None and len(others) >= _MOST:
        raise AwsError("LimitExceededException", "Resource limit exceeded.")
    _check_revision(scope, old, revision)
    made = Policy(scope, key, text, int(ctx.now() * 1000), 1 if old is None else old.revision + 1)
    tx.put(_POLICIES.key(ctx.account, ctx.region, scope, key), resource_policy_record.encode(made))
    return made


async def remove(ctx: Context, tx: Transaction, name: str | None, arn: str | None, revision: str | None) -> None:
    """Forget a policy. Raises AwsError."""
    scope, key = _key(name, arn)
    old = await _find(ctx, tx, scope, key)
    if old is None:
        raise AwsError("ResourceNotFoundException", f"Policy with name [{key}] does not exist.")
    _check_revision(scope, old, revision)
    tx.delete(_POLICIES.key(ctx.account, ctx.region, scope, key))


def _key(name: str | None, arn: str | None) -> tuple[str, str]:
    """Return the scope of a policy, and what it is found by there. Raises AwsError."""
    if arn is not None:
        return OF_RESOURCE, arn.removesuffix(":*")
    if not name:
        raise errors.invalid("policyName is required.")
    return OF_ACCOUNT, name


def _check_revision(scope: str, old: Policy | None, revision: str | None) -> None:
    if scope == OF_ACCOUNT and revision is not None:
        raise errors.invalid("expectedRevisionId is for policies of resources.")
    known = None if old is None else str(old.revision)
    if scope == OF_RESOURCE and revision != known:
        raise AwsError("OperationAbortedException", "The policy has another revision than the one that is expected.")


async def _find(ctx: Context, tx: Transaction, scope: str, key: str) -> Policy | None:
    raw = await tx.get(_POLICIES.key(ctx.account, ctx.region, scope, key))
    return None if raw is None else resource_policy_record.decode(raw)


async def of_group(ctx: Context, tx: Transaction, arn: str) -> list[Policy]:
    """Return the policy of a log group, if it has one."""
    found = await _find(ctx, tx, *_key(None, arn))
    return [] if found is None else [found]


async def listed(ctx: Context, tx: Transaction, scope: str, after: str, count: int) -> list[Policy]:
    """Return policies in the order of their names, after a name."""
    rows = await listing.list_names(tx, _POLICIES.sub(ctx.account, ctx.region, scope), "", after, count)
    return [resource_policy_record.decode(raw) for _, raw in rows]


def forget_group(tx: Transaction, group: Group) -> None:
    """Forget the policy of a log group that is removed."""
    tx.delete(_POLICIES.key(group.account, group.region, OF_RESOURCE, group.arn))


async def authorize(ctx: Context, tx: Transaction, group: Group, action: str, stream: str) -> None:
    """Raise unless the caller may do this to a stream of a group: services need a policy that allows it."""
    if not ctx.strict or ctx.principal.kind != "service" or ctx.principal.arn in _BY_ROLE:
        return
    arn = f"{group.arn}:log-stream:{stream}"
    policies = await listed(ctx, tx, OF_ACCOUNT, "", _MOST) + await of_group(ctx, tx, group.arn)
    decisions = [decide(ctx, f"logs:{action}", arn, group.account, policy.text) for policy in policies]
    decisions = decisions or [decide(ctx, f"logs:{action}", arn, group.account, None)]
    denied = next((one for one in decisions if one.reason is Reason.EXPLICIT_DENY), None)
    if denied is not None or not any(one.allowed for one in decisions):
        raise AwsError("AccessDeniedException", (denied or decisions[0]).message, status=400)
