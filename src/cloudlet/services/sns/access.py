"""Who may do what with a topic: the topic's policy, enforced where permissions are (`--auth strict`).

The identity-based policies of a caller are the front door's affair; here the topic has its say. Principals of the
topic's account need no allowance by it, but can be denied; all others need one (Developer Guide, "Amazon SNS API
permissions").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Context
from cloudlet.core.authorization.condition_keys import get_source_account
from cloudlet.core.authorization.resource_policy import decide, parse_policy
from cloudlet.core.aws.policy import Effect, PolicyError
from cloudlet.core.aws.policy.principals import ACCOUNT_KINDS
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.sns import errors, limits
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic

SHARED_ACTIONS: Final = (
    "AddPermission",
    "DeleteTopic",
    "GetDataProtectionPolicy",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "ListTagsForResource",
    "Publish",
    "PutDataProtectionPolicy",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
)
"""What a topic's policy can speak of."""

_DEFAULT_ACTIONS: Final = (
    "SNS:GetTopicAttributes",
    "SNS:SetTopicAttributes",
    "SNS:AddPermission",
    "SNS:RemovePermission",
    "SNS:DeleteTopic",
    "SNS:Subscribe",
    "SNS:ListSubscriptionsByTopic",
    "SNS:Publish",
)
_KNOWN_ACTIONS: Final = frozenset(action.lower() for action in (*SHARED_ACTIONS, "Receive"))


def default_policy(topic: Topic) -> str:
    """Return the policy of a topic that was given none: its account alone may use it."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": _DEFAULT_ACTIONS,
        "Resource": topic.arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": topic.account}},
    }
    policy = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    return json.dumps(policy, separators=(",", ":"))


def policy_of(topic: Topic) -> str:
    """Return a topic's policy, as text."""
    return topic.attributes.get("Policy") or default_policy(topic)


def checked_policy(text: str, arn: str) -> str:
    """Return the Policy attribute to store for a topic. Raises AwsError for what is no policy of this topic."""
    if len(text.encode()) > limits.POLICY_BYTES:
        raise errors.invalid_parameter(f"Policy must be at most {limits.POLICY_BYTES} bytes long")
    try:
        policy = parse_policy(text)
    except PolicyError as error:
        raise errors.invalid_parameter(f"Policy Error: {error}") from None
    if len(policy.statements) > limits.POLICY_STATEMENTS:
        raise errors.invalid_parameter(f"Policy can have at most {limits.POLICY_STATEMENTS} statements")
    document = json.loads(text)
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        _check_statement(statement, arn)
    return text


def _check_statement(statement: Mapping[str, Any], arn: str) -> None:
    """Raise unless a statement is about this topic and about what can be done with one."""
    resources = statement.get("Resource", [])
    for resource in resources if isinstance(resources, list) else [resources]:
        if resource != arn and "*" not in str(resource):
            raise errors.invalid_parameter("Policy statement resource must match the ARN of the topic")
    actions = statement.get("Action", [])
    for action in actions if isinstance(actions, list) else [actions]:
        service, _, name = action.lower().partition(":")
        pattern = "*" in name or "?" in name
        if action != "*" and not (service == "sns" and (pattern or name in _KNOWN_ACTIONS)):
            raise errors.invalid_parameter("Policy statement action out of service scope!")


def authorize(ctx: Context, topic: Topic, action: str, conditions: Mapping[str, str] | None = None) -> None:
    """Raise unless the caller may do this to the topic. `conditions` are further condition keys of this action."""
    principal = ctx.principal
    if not ctx.strict or (_needs_no_allowance(principal, topic) and not _denies(topic.attributes.get("Policy"))):
        return
    name = f"SNS:{action}"
    # SNS's own name for the account that makes a call, or for which a service makes it.
    keys = {"aws:SourceOwner": get_source_account(ctx) or principal.account, **(conditions or {})}
    decision = decide(ctx, name, topic.arn, topic.account, policy_of(topic), keys)
    if not decision.allowed:
        raise errors.not_authorized(decision.message)


def _needs_no_allowance(principal: Principal, topic: Topic) -> bool:
    return principal.account == topic.account and principal.kind in ACCOUNT_KINDS


def _denies(policy: str | None) -> bool:
    """Whether a policy denies anything to anybody; the default one does not."""
    return policy is not None and any(statement.effect is Effect.DENY for statement in parse_policy(policy).statements)


def authorize_owner(
    ctx: Context, topic: Topic, subscription: Subscription, action: str, *, signed: bool = True
) -> None:
    """Raise unless the caller's account owns the subscription or its topic, and, where enforced, he has signed."""
    stranger = ctx.strict and ctx.principal.account not in (subscription.owner, topic.account)
    if stranger or not signed:
        raise errors.not_authorized(
            f"User: {ctx.principal.arn} is not authorized to perform: SNS:{action} on resource: {topic.arn}"
        )


def require_account(ctx: Context) -> None:
    """Raise for a caller who belongs to no account: what is asked for is not about a topic that could let him in."""
    if ctx.principal.kind == "anonymous":
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", status=403)


def require_own_account(ctx: Context, account: str, action: str, resource: str) -> None:
    """Raise unless the caller belongs to the account that owns a resource which has no policy of its own."""
    require_account(ctx)
    if ctx.strict and ctx.principal.account != account:
        raise errors.not_authorized(
            f"User: {ctx.principal.arn} is not authorized to perform: SNS:{action} on resource: {resource}"
        )


def is_signed(ctx: Context) -> bool:
    """Whether the caller has proved, or in open mode claimed, who he is: a browser that opens a link has not."""
    return ctx.principal.kind == "service" or bool(ctx.principal.access_key)
