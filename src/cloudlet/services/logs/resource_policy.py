"""Resource policies: who may put events into log groups. API reference, "PutResourcePolicy".

Services that call as themselves need one. For users and roles they count together with their own policies.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.authorization.condition_keys import list_tag_keys
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.resource_policy import decide_by, parse_policy
from cloudlet.core.aws import listing
from cloudlet.core.aws.policy import NamedPolicy, PolicyError
from cloudlet.core.aws.policy import Policy as Parsed
from cloudlet.services.logs import access, errors, resource_policy_record
from cloudlet.services.logs.group_record import Group, arn_of
from cloudlet.services.logs.resource_policy_record import OF_ACCOUNT, OF_RESOURCE, Policy

_POLICIES: Final = Subspace("resource-policy")
"""Account, region, scope, name or ARN → Policy."""
_MOST: Final = 10
_MOST_BYTES: Final = {OF_ACCOUNT: 5120, OF_RESOURCE: 51_200}
_BY_ROLE: Final = ("lambda.amazonaws.com", "logs.amazonaws.com", "sns.amazonaws.com")
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


async def authorize(ctx: Context, tx: Transaction, name: str, action: str, stream: str) -> None:
    """Raise AwsError unless the caller may do this to a stream of a log group of his account.

    Its own policies and those of resources count together; services need one of a resource that allows it.
    """
    if not ctx.strict:
        return
    if ctx.principal.kind == "service" and ctx.principal.arn in _BY_ROLE:
        ctx.was_decided = True
        return
    arn = arn_of(ctx.region, ctx.account, name)
    policies = await listed(ctx, tx, OF_ACCOUNT, "", _MOST) + await of_group(ctx, tx, arn)
    resource = NamedPolicy(arn, _merge(*(policy.text for policy in policies))) if policies else None
    action = f"logs:{action}"
    keys = list_tag_keys(action, await access.find_tags(ctx, tx, action, name))
    decision = decide_by(ctx, action, f"{arn}:log-stream:{stream}", ctx.account, resource, keys)
    if not decision.allowed:
        raise deny(ctx, "logs", decision)


@lru_cache(256)
def _merge(*texts: str) -> Parsed:
    """Return one policy with the statements of several."""
    return Parsed("2012-10-17", "", tuple(each for text in texts for each in parse_policy(text).statements))
