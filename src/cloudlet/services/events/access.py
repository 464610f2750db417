"""Permissions of callers on buses and their rules, where they are enforced.

The bus's policy and the caller's own decide. Within the bus's account either is enough; callers of other accounts need
both (user guide, "Permissions for Amazon EventBridge event buses"). A bus's policy speaks of its rules, too, by their
ARNs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.authorization import catalog, role_session
from cloudlet.core.authorization.condition_keys import Keys, get_source_account, list_request_keys
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.permissions import EVERYTHING, Permissions
from cloudlet.core.authorization.resource_policy import decide, is_plainly_admitted, parse_policy
from cloudlet.core.aws import tags
from cloudlet.core.aws.policy import PolicyError
from cloudlet.core.background.retrying import DeliveryError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal, root
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.events import errors, rule_record
from cloudlet.services.events.bus_record import Bus
from cloudlet.services.events.rule_record import Rule
from cloudlet.wire import json_text

PRINCIPAL: Final = "events.amazonaws.com"
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
_BUS_ACTIONS = frozenset(
    ("events:PutEvents", "events:DescribeEventBus", "events:ListRules", "events:ListRuleNamesByTarget")
)
"""The actions on the bus itself; the others are on its rules."""
ACTIONS: Final = frozenset(_ACTIONS)
"""The operations on buses and their rules that are decided here."""
_PATTERN_KEYS: Final = (
    "source",
    "detail-type",
    "detail.eventTypeCode",
    "detail.service",
    "detail.userIdentity.principalId",
)
"""The condition keys that a rule's pattern fills."""


def _make_no_keys() -> Keys:
    return {}


async def authorize(
    ctx: Context,
    tx: Transaction,
    bus: Bus,
    action: str,
    *,
    arn: str = "",
    make_keys: Callable[[], Keys] = _make_no_keys,
) -> None:
    """Raise unless the caller may do this to a bus.

    `arn` is that of what is on the bus, where the action is about that; `make_keys` makes the condition keys of this
    action.
    """
    if not ctx.strict:
        return
    # What services tell an account of, its policy does not keep out.
    if ctx.principal.kind == "service" and (get_source_account(ctx) or ctx.principal.account) == bus.account:
        return
    name, resource, policy = f"events:{action}", arn or bus.place.arn, bus.policy or None
    if is_plainly_admitted(ctx, name, resource, bus.account, policy):
        return
    stored = {f"aws:ResourceTag/{key}": value for key, value in (await tags.load(tx, resource)).items()}
    decision = decide(ctx, name, resource, bus.account, policy, {**stored, **make_keys()})
    if not decision.allowed:
        raise deny(ctx, "events", decision)


async def authorize_rule(
    ctx: Context, tx: Transaction, bus: Bus, action: str, params: Params, name: str, rule: Rule | None
) -> None:
    """Raise unless the caller may do this to a rule of a bus.

    `rule` is None where there is none of this name.
    """
    arn = rule_record.arn_of(bus.place, name)
    await authorize(ctx, tx, bus, action, arn=arn, make_keys=lambda: _list_rule_keys(action, params, rule))


def _list_rule_keys(action: str, params: Params, rule: Rule | None) -> Keys:
    """Return the condition keys of a call about a rule.

    User guide, "Using IAM policy conditions".
    """
    keys = list_request_keys(catalog.find("events", action), params)
    if rule is not None:
        keys["events:creatorAccount"] = rule.creator or rule.account
        if rule.managed:
            keys["events:ManagedBy"] = rule.managed
    if params.get("Targets"):
        keys["events:TargetArn"] = [target["Arn"] for target in params["Targets"]]
    if params.get("EventPattern"):
        keys |= _list_pattern_keys(params["EventPattern"])
    return keys


def _list_pattern_keys(text: str) -> Keys:
    """Return the condition keys that are what a rule's pattern asks for. A filter counts as its JSON text."""
    keys: Keys = {}
    for name in _PATTERN_KEYS:
        try:
            found = json_text.decode(text)
        except (ValueError, RecursionError):
            return {}
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, list):
            keys[f"events:{name}"] = [each if isinstance(each, str) else json.dumps(each) for each in found]
    return keys


async def load_permissions(block: Block, rule: Rule, role: str) -> Permissions:
    """Return the permissions of a target's role, or of the account without one."""
    if not role or not block.is_strict:
        return EVERYTHING
    return await block.cloud.permissions.load(make_session(rule, role))


def make_session(rule: Rule, role: str) -> Principal:
    """Return the session by which a rule calls its target. Raises DeliveryError for what is no ARN of a role."""
    try:
        return role_session.make_session(role, _SESSION, PRINCIPAL, rule.arn)
    except ValueError:
        raise DeliveryError("NO_PERMISSIONS", f"{role} is not the ARN of a role.", permanent=True) from None


async def authorize_delivery(
    block: Block, tx: Transaction, bus: Bus, rule: Rule, role: str, permissions: Permissions, event: str
) -> None:
    """Raise unless a rule may hand an event on to a bus.

    It does so by its target's role, or as its account where there is none.
    """
    told = json_text.decode(event)
    keys = make_event_keys(told["source"], told["detail-type"], by_bus=True)
    ctx = _make_rule_context(block, bus, rule, role, permissions)
    await authorize(ctx, tx, bus, "PutEvents", make_keys=lambda: keys)


async def authorize_target(ctx: Context, tx: Transaction, bus: Bus, rule: Rule, role: str) -> None:
    """Raise unless a bus of another account lets a rule in, whatever the event."""
    if bus.account != rule.account and ctx.strict:
        made = _make_rule_context(ctx.block, bus, rule, role, EVERYTHING)
        await authorize(made, tx, bus, "PutEvents", make_keys=lambda: {"events:eventBusInvocation": "true"})


def _make_rule_context(block: Block, bus: Bus, rule: Rule, role: str, permissions: Permissions) -> Context:
    principal = make_session(rule, role) if role else root(rule.account)
    endpoint = block.cloud.config.endpoint
    ctx = Context(block, principal, principal.account, bus.region, uuid4(), endpoint, secure=True, source_arn=rule.arn)
    ctx.permissions = permissions
    return ctx


async def authorize_destination(block: Block, arn: str, account: str, session: Principal) -> None:
    """Raise unless a session may invoke an API destination of its account."""
    if not block.is_strict:
        return
    ctx = Context(block, session, account, "", uuid4(), block.cloud.config.endpoint, secure=True)
    ctx.permissions = await block.cloud.permissions.load(session)
    action = "events:InvokeApiDestination"
    if not ctx.permissions.allows(ctx, action, arn, account):
        raise deny(ctx, "events", ctx.permissions.decide(ctx, action, arn, account))


def check_role(ctx: Context, role: str | None) -> None:
    """Raise AwsError unless a role, if one is given, may be given to EventBridge by the caller."""
    if not role:
        return
    try:
        role_session.check_role(ctx.principal.account, role)
    except ValueError:
        raise _make_unassumable(role) from None


async def check_trust(ctx: Context, role: str | None, rule: str) -> None:
    """Raise AwsError unless EventBridge can act by a role for a rule.

    Without a role nothing is checked; one of another account, and what is no role, is refused by `check_role`.
    """
    if not role or not ctx.strict:
        return
    try:
        session = role_session.make_session(role, _SESSION, PRINCIPAL, rule)
    except ValueError:
        return
    if session.account == ctx.principal.account and not await role_session.is_assumable(ctx.block, session):
        raise _make_unassumable(role)


def _make_unassumable(role: str) -> AwsError:
    return errors.validation(f"Provided role '{role}' cannot be assumed by principal '{PRINCIPAL}'.")


def make_event_keys(source: str, detail_type: str, *, by_bus: bool = False) -> Keys:
    """Return the condition keys of putting an event (user guide, "Using IAM policy conditions").

    `by_bus`: a rule of another bus hands it on.
    """
    is_by_bus = "true" if by_bus else "false"
    return {"events:source": source, "events:detail-type": detail_type, "events:eventBusInvocation": is_by_bus}


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
        "Resource": bus.place.arn if action in _BUS_ACTIONS else rule_record.arn_of(bus.place, "*"),
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
