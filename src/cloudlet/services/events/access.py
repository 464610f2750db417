"""Who may do what with a bus: the bus's policy, enforced where permissions are (`--auth strict`).

Principals of the bus's account need no allowance by it, but can be denied; all others need one (user guide,
"Permissions for Amazon EventBridge event buses").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudlet.core import AwsError, Context
from cloudlet.core.authorization import role_session
from cloudlet.core.authorization.condition_keys import get_source_account
from cloudlet.core.authorization.resource_policy import decide, parse_policy
from cloudlet.core.aws.policy import PolicyError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.events import errors
from cloudlet.services.events.bus_record import Bus
from cloudlet.services.events.rule_record import Rule
from cloudlet.wire import json_text

_SESSION = "EventBridge"

_POLICY_BYTES = 10_240
_ACTIONS = (
    "PutEvents",
    "PutRule",
    "DescribeRule",
    "DeleteRule",
    "ListRules",
    "EnableRule",
    "DisableRule",
    "PutTargets",
    "RemoveTargets",
    "ListTargetsByRule",
    "ListRuleNamesByTarget",
    "DescribeEventBus",
    "ListTagsForResource",
    "TagResource",
    "UntagResource",
)
SHARED_ACTIONS = frozenset(f"events:{action}" for action in _ACTIONS)
"""What PutPermission can allow by `Action`."""


def authorize(ctx: Context, bus: Bus, action: str, conditions: Mapping[str, str] | None = None) -> None:
    """Raise unless the caller may do this to the bus; `conditions` are further condition keys of this action."""
    if not ctx.strict:
        return
    # What services tell an account of, its policy does not keep out.
    if _account(ctx) == bus.account and (not bus.policy or ctx.principal.kind == "service"):
        return
    decision = decide(ctx, f"events:{action}", bus.place.arn, bus.account, bus.policy or None, conditions)
    if not decision.allowed:
        raise AwsError("AccessDeniedException", decision.message, status=400)


def _account(ctx: Context) -> str:
    """Return the account that makes a call, or on whose behalf a service does."""
    return (ctx.principal.kind == "service" and get_source_account(ctx)) or ctx.principal.account


def authorize_rule(block: Block, bus: Bus, rule: Rule, role: str, event: str) -> None:
    """Raise unless a rule may hand an event on to a bus: its target's role, or its account where there is none."""
    if not block.is_strict:
        return
    principal = role_session.make_session(role, _SESSION) if role else root(rule.account)
    ctx = Context(block, principal, principal.account, bus.region, uuid4(), block.cloud.config.endpoint, secure=True)
    told = json_text.decode(event)
    authorize(ctx, bus, "PutEvents", event_keys(told["source"], told["detail-type"]))


def check_role(ctx: Context, role: str | None) -> None:
    """Raise AwsError unless a role, if one is given, may be given to EventBridge by the caller."""
    if not role:
        return
    try:
        role_session.check_role(ctx.principal.account, role)
    except ValueError:
        raise errors.validation(
            f"Provided role '{role}' cannot be assumed by principal 'events.amazonaws.com'."
        ) from None


def event_keys(source: str, detail_type: str) -> dict[str, str]:
    """Return the condition keys of putting an event (user guide, "Using IAM policy conditions")."""
    return {"events:source": source, "events:detail-type": detail_type}


def with_policy(text: str) -> str:
    """Return a policy to store. Raises AwsError for what is none."""
    if len(text.encode()) > _POLICY_BYTES:
        raise AwsError("PolicyLengthExceededException", "The event bus policy is too long.")
    try:
        parse_policy(text)
    except PolicyError as error:
        raise errors.validation(f"The policy is not valid: {error}") from None
    return text


def with_statement(bus: Bus, sid: str, action: str, principal: str, condition: Mapping[str, str] | None) -> str:
    """Return the bus's policy with a statement, in place of an earlier one of the same id. Raises AwsError."""
    if action not in SHARED_ACTIONS:
        raise errors.validation(f"Provided value in parameter 'action' is not supported: {action}.")
    if principal != "*" and not (len(principal) == 12 and principal.isdecimal()):
        raise errors.validation("Provided value in parameter 'principal' is not valid.")
    partition = bus.place.arn.split(":")[1]
    statement: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:{partition}:iam::{principal}:root"},
        "Action": action,
        "Resource": bus.place.arn,
    }
    if condition is not None:
        if (condition["Type"], condition["Key"]) != ("StringEquals", "aws:PrincipalOrgID"):
            raise errors.validation("A condition must be StringEquals of aws:PrincipalOrgID.")
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    others = [each for each in _statements(bus) if each.get("Sid") != sid]
    return with_policy(_policy([*others, statement]))


def without_statement(bus: Bus, sid: str) -> str:
    """Return the bus's policy without a statement; nothing where none is left. Raises AwsError."""
    statements = _statements(bus)
    kept = [each for each in statements if each.get("Sid") != sid]
    if len(kept) == len(statements):
        raise errors.not_found("Statement with the provided id does not exist.")
    return _policy(kept) if kept else ""


def _statements(bus: Bus) -> list[dict[str, Any]]:
    statements = json.loads(bus.policy)["Statement"] if bus.policy else []
    return statements if isinstance(statements, list) else [statements]


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
