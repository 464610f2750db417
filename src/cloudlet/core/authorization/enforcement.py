"""The check of a call before it runs: may its caller do this?

Operations on resources that have policies of their own are decided by their block, which knows the resource; they are
declared as `Service(decides=…)`. All others are decided here, by the caller's own policies. Roles that a request hands
to a service are checked for every operation (`iam:PassRole`).

Where the caller's policies ask for the tags of a resource (`aws:ResourceTag/…`), the block is asked for them first:
`Service(resource_tags=…)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cloudlet.core.authorization import catalog, targets
from cloudlet.core.authorization.condition_keys import LazyKeys, list_request_keys, list_tag_keys
from cloudlet.core.aws.policy import Decision, Reason
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
_TASK_ROLES: Final = ("executionRoleArn", "taskRoleArn")
"""Members of Amazon ECS's operations whose roles go to tasks, not to ECS."""
_REQUEST_TAG: Final = "aws:RequestTag/"
_SERVICE_NAMES: Final = {"elbv2": "elasticloadbalancing", "emr": "elasticmapreduce", "stepfunctions": "states"}


Tags = Mapping[str, Mapping[str, str]]
"""The tags of resources, by their ARNs."""
_NO_TAGS: Final[Tags] = {}


def list_tagged(ctx: Context, handler: Handler, params: Params) -> list[str]:
    """Return the ARNs of resources whose tags may decide whether a call is allowed."""
    if ctx.permissions.is_unlimited or handler.is_internal:
        return []
    rule = catalog.find(handler.model, handler.name)
    if not any(
        ctx.permissions.depends_on_tags(action) for action in (*rule.actions, *_list_further_actions(rule, params))
    ):
        return []
    patterns = targets.list_resources(rule, ctx, load(handler.model).operations[handler.name], params)
    return [arn for arn in dict.fromkeys(arn for arns in patterns for arn in arns) if arn != "*"]


def check(ctx: Context, handler: Handler, params: Params, *, is_decided_by_block: bool, tags: Tags = _NO_TAGS) -> None:
    """Raise AwsError unless the caller of an operation may call it with these parameters.

    `tags` are those of the resources that `list_tagged` has named.
    """
    if ctx.permissions.is_unlimited or handler.is_internal or (handler.model, handler.name) in _FREE:
        ctx.was_decided = True
        return
    rule = catalog.find(handler.model, handler.name)
    if not is_decided_by_block:
        ctx.was_decided = True
        _check_actions(ctx, rule, handler, params, tags)
    if rule.pass_role:
        _check_passed_roles(ctx, handler, params)


def _check_actions(ctx: Context, rule: Rule, handler: Handler, params: Params, tags: Tags) -> None:
    operation = load(handler.model).operations[handler.name]
    keys = LazyKeys(
        lambda: {
            **list_request_keys(rule, params),
            **targets.list_arn_keys(handler.model, rule, ctx, operation, params),
        }
    )
    # What is tagged as it is created is tagged by another action, which is told by which one.
    tag_keys = LazyKeys(lambda: {**keys, f"{catalog.get_prefix(handler.model)}:CreateAction": handler.name})
    patterns = targets.list_resources(rule, ctx, operation, params)
    # Only operations of S3 need an action instead of another one, and S3 decides them itself.
    for action in (*rule.actions, *_list_further_actions(rule, params)):
        own_keys, looked_at = (keys, patterns) if action in rule.actions else (tag_keys, _list_created(patterns))
        denied = [_find_denied(ctx, action, arns, own_keys, tags) for arns in looked_at]
        if rule.any_of and None in denied:
            denied = [each for each in denied if each is not None and each.reason is Reason.EXPLICIT_DENY]
        for decision in denied:
            if decision is not None:
                raise deny(ctx, handler.model, decision)


def _list_created(patterns: list[list[str]]) -> list[list[str]]:
    """Return the resources that a request creates, without those that it names besides."""
    return [arns for arns in patterns if any(arn.endswith("*") for arn in arns)] or patterns


def _find_denied(ctx: Context, action: str, arns: list[str], keys: LazyKeys, tags: Tags) -> Decision | None:
    for arn in arns:
        own = tags.get(arn)
        if not own and ctx.permissions.depends_on_tags(action):
            own = _find_given_tags(arn, keys)
        decision = _decide(ctx, action, arn, {**keys, **list_tag_keys(action, own)} if own else keys)
        if decision is not None:
            return decision
    return None


def _find_given_tags(arn: str, keys: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    """Return the tags that a resource is created with, none yet in EC2."""
    if not arn.endswith("*") or arn == "*" or ":ec2:" in arn:
        return {}
    return {key.removeprefix(_REQUEST_TAG): str(value) for key, value in keys.items() if key.startswith(_REQUEST_TAG)}


def _decide(ctx: Context, action: str, arn: str, keys: Mapping[str, str | Sequence[str]]) -> Decision | None:
    """Return what denies a call; None where the caller's policies allow it."""
    account = _get_account(arn) or ctx.principal.account
    if ctx.permissions.allows(ctx, action, arn, account, keys):
        return None
    return ctx.permissions.decide(ctx, action, arn, account, keys)


def _list_further_actions(rule: Rule, params: Params) -> Iterator[str]:
    """Return the actions that a request needs besides, for what it asks for."""
    for condition in rule.conditional:
        if condition.mode == "also" and targets.is_given(params, condition.when):
            yield from condition.actions
    if any(params.get(member) for member in ("Tags", "tags", "TagsList")):
        yield from (action for action in rule.dependent_actions if "Tag" in action)


def _check_passed_roles(ctx: Context, handler: Handler, params: Params) -> None:
    for arn, passed_to in list_passed_roles(ctx, handler.model, handler.name, params):
        check_passed_role(ctx, handler.model, arn, passed_to)


def check_passed_role(ctx: Context, model: str, role: str, passed_to: str) -> None:
    """Raise AwsError unless the caller may pass a role to a service (`iam:PassRole`).

    The role is given by its ARN or its name.
    """
    decision = _decide(ctx, "iam:PassRole", _get_role_arn(ctx.account, role), {"iam:PassedToService": passed_to})
    if decision is not None:
        raise deny(ctx, model, decision)


def check_resource(ctx: Context, model: str, action: str, arn: str, tags: Mapping[str, str] | None = None) -> None:
    """Raise AwsError unless the caller's policies allow an action on a resource.

    For operations of `Service(decides=…)` on resources that a block has found, without policies of their own.
    """
    ctx.was_decided = True
    decision = _decide(ctx, action, arn, list_tag_keys(action, tags or {}))
    if decision is not None:
        raise deny(ctx, model, decision)


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
    if protocol in ("query", "rest-xml") or model.query_compatible:
        return "AccessDenied", 403
    return "AccessDeniedException", 403 if protocol == "rest-json" else 400


def list_actions(model: str, operation: str, params: Params) -> list[str]:
    """Return the actions that a call needs, for what it asks for."""
    rule = catalog.find(model, operation)
    replaced: set[str] = set()
    added: list[str] = []
    for condition in rule.conditional:
        mode, _, replaces = condition.mode.partition(" of ")
        if mode == "instead" and targets.read(params, condition.when):
            replaced |= {replaces} if replaces else set(rule.actions)
            added += condition.actions
    kept = [action for action in rule.actions if action not in replaced]
    return [*kept, *added, *_list_further_actions(rule, params)]


def needs_permission(model: str, operation: str) -> bool:
    """Whether policies have a say in an operation at all."""
    return (model, operation) not in _FREE


def list_passed_roles(scope: targets.Scope, model: str, operation: str, params: Params) -> list[tuple[str, str]]:
    """Return the roles that a call hands over, and the service that gets each."""
    service = _SERVICE_NAMES.get(model, model)
    passed_to = _PASSED_TO.get((model, operation), f"{service}.amazonaws.com")
    return [
        (_get_role_arn(scope.account, role), "ecs-tasks.amazonaws.com" if path in _TASK_ROLES else passed_to)
        for path in catalog.find(model, operation).pass_role
        for role in targets.read(params, path)
    ]


def _get_role_arn(account: str, role: str) -> str:
    """Return the ARN of a role that is given by its ARN or its name."""
    return role if role.startswith("arn:") else f"arn:aws:iam::{account}:role/{role}"
