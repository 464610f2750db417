"""Permissions of callers on topics, where they are enforced.

The topic's policy and the caller's own decide. Within the topic's account either is enough; callers of other accounts
need both (Developer Guide, "Amazon SNS API permissions"). What is about no topic is decided by the caller's own
policies alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import Arn, AwsError, Context, Params
from cloudlet.core.authorization import catalog, resource_policy
from cloudlet.core.authorization.condition_keys import Keys, get_source_account, list_request_keys
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.resource_policy import decide, is_plainly_admitted, parse_policy
from cloudlet.core.aws.policy import PolicyError
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
_UNSIGNED: Final = ("ConfirmSubscription", "Unsubscribe")
"""The operations behind the links in messages."""
ACTIONS: Final = frozenset((*SHARED_ACTIONS, *_UNSIGNED, "PublishBatch", "TagResource", "UntagResource"))
"""The operations on topics, which are decided here."""
ANONYMOUS_ACTIONS: Final = ACTIONS - {
    "DeleteTopic",
    "ListTagsForResource",
    "Subscribe",
    "TagResource",
    "UntagResource",
}
"""The operations of those who have not signed, by a topic's policy or a token."""

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


def make_denial(message: str) -> AwsError:
    """Return the error of a denied call, which names actions in capital letters."""
    return AwsError("AuthorizationError", message.replace(" sns:", " SNS:"), status=403)


def authorize(ctx: Context, topic: Topic, action: str, params: Params) -> None:
    """Raise unless the caller may do this to the topic.

    `params` are those of the request.
    """
    if not ctx.strict:
        return
    name = f"SNS:{action}"
    # The policy that a topic has by default denies nothing.
    if is_plainly_admitted(ctx, name, topic.arn, topic.account, topic.attributes.get("Policy")):
        return
    keys = _list_keys(ctx, topic, action, params)
    decision = decide(ctx, name, topic.arn, topic.account, policy_of(topic), keys)
    if not decision.allowed:
        raise deny(ctx, "sns", decision)


def authorize_link(ctx: Context, action: str, resource: str) -> None:
    """Raise unless the caller may do what a link in a message does.

    One who has not signed has the token of the link.
    """
    ctx.was_decided = True
    if is_signed(ctx):
        authorize_caller(ctx, action, resource)


def _list_keys(ctx: Context, topic: Topic, action: str, params: Params) -> Keys:
    """Return the condition keys of a call about a topic."""
    keys: Keys = {f"aws:ResourceTag/{key}": value for key, value in topic.tags.items()}
    if ctx.principal.kind == "service":
        # SNS's own name for the account for which a service calls.
        keys["aws:SourceOwner"] = get_source_account(ctx) or ctx.principal.account
    return {**keys, **list_request_keys(catalog.find("sns", action), params)}


def authorize_absent(ctx: Context, arn: str, action: str) -> None:
    """Raise unless the caller may do this to a topic that is not there."""
    if ctx.strict:
        resource_policy.authorize(ctx, f"SNS:{action}", arn, Arn.parse(arn).account, None, dict)


def authorize_caller(ctx: Context, action: str, resource: str) -> None:
    """Raise unless the caller's own policies let it do what no topic's policy speaks of."""
    ctx.was_decided = True
    name, account = f"SNS:{action}", ctx.principal.account
    if ctx.strict and not ctx.permissions.allows(ctx, name, resource, account):
        raise deny(ctx, "sns", ctx.permissions.decide(ctx, name, resource, account))


def authorize_owner(
    ctx: Context, topic: Topic, subscription: Subscription, action: str, *, signed: bool = True
) -> None:
    """Raise unless the caller's account owns the subscription or its topic, and, where enforced, he has signed."""
    stranger = ctx.strict and ctx.principal.account not in (subscription.owner, topic.account)
    if stranger or not signed:
        raise make_denial(
            f"User: {ctx.principal.arn} is not authorized to perform: SNS:{action} on resource: {topic.arn}"
        )


def require_account(ctx: Context) -> None:
    """Raise for a caller who belongs to no account: what is asked for is not about a topic that could let him in."""
    if ctx.principal.kind == "anonymous":
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", status=403)


def require_own_account(ctx: Context, account: str, action: str, resource: str) -> None:
    """Raise unless the caller belongs to the account that owns a resource which has no policy of its own."""
    if ctx.strict and ctx.principal.account != account:
        raise make_denial(
            f"User: {ctx.principal.arn} is not authorized to perform: SNS:{action} on resource: {resource}"
        )


def is_signed(ctx: Context) -> bool:
    """Whether the caller has proved, or in open mode claimed, who he is: a browser that opens a link has not."""
    principal = ctx.principal
    return principal.kind == "service" or bool(principal.access_key or principal.invoked_by)
