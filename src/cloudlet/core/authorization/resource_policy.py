"""Decide a call by a resource's own policy and the caller's policies together.

Source: IAM User Guide, "Policy evaluation logic" and "Cross-account policy evaluation logic".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from cloudlet.core.authorization.condition_keys import Keys, list_global_keys
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.aws.policy import Decision, Effect, NamedPolicy, Policies, Policy, Request, Usage, evaluate
from cloudlet.core.aws.policy.principals import ACCOUNT_KINDS
from cloudlet.core.kernel.context import Context


@lru_cache(256)
def parse_policy(text: str) -> Policy:
    """Return a resource's policy. Raises PolicyError."""
    return Policy.parse(text, Usage.RESOURCE)


@lru_cache(256)
def has_denials(text: str) -> bool:
    """Whether a resource's policy denies anything to anybody. Raises PolicyError."""
    return any(statement.effect is Effect.DENY for statement in parse_policy(text).statements)


def authorize(
    ctx: Context, action: str, arn: str, account: str, text: str | None, make_keys: Callable[[], Keys]
) -> None:
    """Raise AwsError unless the caller may do this to a resource of an account.

    `text` is the resource's policy, if it has one; `make_keys` makes the condition keys of this action, where a policy
    may ask for them.
    """
    if is_plainly_admitted(ctx, action, arn, account, text):
        return
    decision = decide(ctx, action, arn, account, text, make_keys())
    if not decision.allowed:
        raise deny(ctx, ctx.block.service.name, decision)


def is_plainly_admitted(ctx: Context, action: str, arn: str, account: str, text: str | None) -> bool:
    """Whether the caller's own policies admit it, whatever the condition keys are."""
    if text is not None and has_denials(text):
        return False
    return ctx.permissions.ignores_parameters(action) and is_admitted(ctx, action, arn, account)


def decide(
    ctx: Context,
    action: str,
    arn: str,
    account: str,
    text: str | None,
    keys: Mapping[str, str | Sequence[str]] | None = None,
    *,
    must_allow: bool = False,
) -> Decision:
    """Return whether the caller may do this to a resource of an account; `text` is its policy, if it has one.

    `keys` are condition keys of this action, besides the global ones. `must_allow`: identity-based policies count only
    where the resource's policy delegates to the account, as with KMS keys.
    """
    resource = None if text is None else NamedPolicy(arn, parse_policy(text))
    return decide_by(ctx, action, arn, account, resource, keys, must_allow=must_allow)


def decide_by(
    ctx: Context,
    action: str,
    arn: str,
    account: str,
    resource: NamedPolicy | None,
    keys: Mapping[str, str | Sequence[str]] | None = None,
    *,
    must_allow: bool = False,
    canonical_user: str = "",
) -> Decision:
    """Return whether the caller may do this to a resource that has a parsed policy, or none."""
    session = ctx.principal.session
    policies = combine(ctx, resource, must_allow=must_allow)
    context = {**list_global_keys(ctx, account), **(keys or {})}
    federated_by = session.issuer if session is not None and ctx.principal.kind == "federated-user" else ""
    request = Request(ctx.principal, action, arn, context, account, federated_by, canonical_user)
    decision = evaluate(request, policies)
    if not decision.allowed:
        ctx.block.cloud.denials.add(ctx.request_id, decision)
    return decision


def combine(ctx: Context, resource: NamedPolicy | None, *, must_allow: bool = False) -> Policies:
    """Return the caller's policies and a resource's, to be evaluated together."""
    ctx.was_decided = True
    granted = ctx.permissions
    return Policies(granted.identity, granted.boundary, granted.session, resource, resource_must_allow=must_allow)


def is_admitted(
    ctx: Context, action: str, arn: str, account: str, keys: Mapping[str, str | Sequence[str]] | None = None
) -> bool:
    """Whether the caller's own policies admit it to a resource of its account, whose policy denies nothing."""
    ctx.was_decided = True
    if ctx.principal.account != account or ctx.principal.kind not in ACCOUNT_KINDS:
        return False
    return ctx.permissions.allows(ctx, action, arn, account, keys)
