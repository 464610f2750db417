"""The check of a call before it runs: may its caller do this?

Operations on resources that have policies of their own are decided by their block, which knows the resource; they are
declared as `Service(decides=…)`. All others are decided here, by the caller's own policies. Roles that a request hands
to a service are checked for every operation (`iam:PassRole`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from cloudlet.core.authorization import catalog, targets
from cloudlet.core.authorization.condition_keys import Keys, LazyKeys, list_request_keys
from cloudlet.core.aws.policy import Decision
from cloudlet.core.kernel.errors import AwsError
from cloudlet.wire import load

if TYPE_CHECKING:
    from cloudlet.core.authorization.catalog import Rule
    from cloudlet.core.kernel.context import Context
    from cloudlet.core.kernel.service import Handler, Params
    from cloudlet.wire import ServiceModel, WireError

_FREE: Final = frozenset(
    {
        ("sts", "GetCallerIdentity"),
        ("sts", "GetSessionToken"),
        ("sts", "AssumeRoleWithSAML"),
        ("sts", "AssumeRoleWithWebIdentity"),
    }
)
"""Operations that need no permission, by their pages in STS's API reference."""
_PASSED_TO: Final = {
    ("ec2", "CreateFlowLogs"): "vpc-flow-logs.amazonaws.com",
    ("ecs", "RegisterTaskDefinition"): "ecs-tasks.amazonaws.com",
    ("ecs", "RunTask"): "ecs-tasks.amazonaws.com",
    ("ecs", "StartTask"): "ecs-tasks.amazonaws.com",
}
"""The services that get a role by an operation of another one."""
_SERVICE_NAMES: Final = {"elbv2": "elasticloadbalancing", "emr": "elasticmapreduce", "stepfunctions": "states"}


def check(ctx: Context, handler: Handler, params: Params, *, is_decided_by_block: bool) -> None:
    """Raise AwsError unless the caller of an operation may call it with these parameters."""
    if ctx.permissions.is_unlimited or handler.is_internal or (handler.model, handler.name) in _FREE:
        ctx.was_decided = True
        return
    rule = catalog.find(handler.model, handler.name)
    if not is_decided_by_block:
        ctx.was_decided = True
        _check_actions(ctx, rule, handler, params)
    if rule.pass_role:
        _check_passed_roles(ctx, rule, handler, params)


def _check_actions(ctx: Context, rule: Rule, handler: Handler, params: Params) -> None:
    operation = load(handler.model).operations[handler.name]
    keys = LazyKeys(partial(list_request_keys, rule, params))
    patterns = targets.list_resources(rule, ctx, operation, params)
    for action in (*rule.actions, *_list_further_actions(rule, params)):
        denied = [_find_denied(ctx, action, arns, keys) for arns in patterns]
        if rule.any_of and None in denied:
            continue
        for decision in denied:
            if decision is not None:
                raise deny(ctx, handler.model, decision)


def _find_denied(ctx: Context, action: str, arns: list[str], keys: LazyKeys) -> Decision | None:
    for arn in arns:
        account = _get_account(arn) or ctx.principal.account
        if not ctx.permissions.allows(ctx, action, arn, account, keys):
            return ctx.permissions.decide(ctx, action, arn, account, keys)
    return None


def _list_further_actions(rule: Rule, params: Params) -> Iterator[str]:
    """Return the actions that a request needs besides, for what it asks for."""
    for condition in rule.conditional:
        if condition.mode == "also" and targets.is_given(params, condition.when):
            yield from condition.actions
    if any(params.get(member) for member in ("Tags", "tags")):
        yield from (action for action in rule.dependent_actions if "Tag" in action)


def _check_passed_roles(ctx: Context, rule: Rule, handler: Handler, params: Params) -> None:
    service = _SERVICE_NAMES.get(handler.model, handler.model)
    passed_to = _PASSED_TO.get((handler.model, handler.name), f"{service}.amazonaws.com")
    keys: Keys = {"iam:PassedToService": passed_to}
    for role in (role for path in rule.pass_role for role in targets.read(params, path)):
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{ctx.account}:role/{role}"
        account = _get_account(arn) or ctx.principal.account
        if not ctx.permissions.allows(ctx, "iam:PassRole", arn, account, keys):
            raise deny(ctx, handler.model, ctx.permissions.decide(ctx, "iam:PassRole", arn, account, keys))


def _get_account(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4].isdecimal() else ""


def deny(ctx: Context, model: str, decision: Decision) -> WireError:
    """Return the error of a call that policies do not allow, and keep its explanation."""
    ctx.block.cloud.denials.add(ctx.request_id, decision)
    if ctx.block.service.access_denied is not None:
        return ctx.block.service.access_denied(decision.message)
    code, status = _get_code(load(model))
    return AwsError(code, decision.message, status=status)


def _get_code(model: ServiceModel) -> tuple[str, int]:
    """Return the code and the status of a service's errors about permissions."""
    protocol = model.protocols[0]
    if protocol == "ec2":
        return "UnauthorizedOperation", 403
    if protocol in ("query", "rest-xml"):
        return "AccessDenied", 403
    return "AccessDeniedException", 403 if protocol == "rest-json" else 400
