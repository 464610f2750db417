"""The operations on rules."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.elbv2 import actions, arns, conditions, forwarding, limits, storing, tagging
from cloudlet.services.elbv2.actions import Actions
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.errors import ForbiddenOperation, QuotaExcess, ValidationError
from cloudlet.services.elbv2.listener_record import Listener, Rule
from cloudlet.services.elbv2.paging import show_page
from cloudlet.services.elbv2.storing import RULES, get_listener, get_load_balancer, get_rule


class PriorityInUse(AwsError):
    def __init__(self, priority: int) -> None:
        super().__init__("PriorityInUseException", f"Priority '{priority}' is currently in use")


@service.operation("CreateRule")
async def create_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    listener = await get_listener(ctx, tx, params["ListenerArn"])
    balancer = await get_load_balancer(ctx, tx, listener.load_balancer_arn)
    wanted = conditions.parse(params["Conditions"], balancer.type)
    parsed = actions.parse(params["Actions"], listener.protocol)
    transforms = conditions.parse_transforms(params.get("Transforms"))
    made_tags = tagging.read_new(params.get("Tags"))
    priority = params["Priority"]
    known = next((each for each in await storing.list_rules(tx, listener) if each.priority == priority), None)
    if known is not None:
        same = (known.conditions, known.actions, known.transforms) == (wanted, parsed.actions, transforms)
        if not same or parsed.secret or await tags.load(tx, known.arn) != made_tags:
            raise PriorityInUse(priority)
        return {"Rules": [to_api(known)]}
    if len(await storing.list_rules(tx, balancer)) >= limits.MAX_RULES:
        text = f"The maximum number of rules has been reached on load balancer '{balancer.arn}'"
        raise QuotaExcess("TooManyRulesException", text)
    await forwarding.check(ctx, tx, balancer, listener.protocol, parsed.actions)
    made = Rule(
        account=ctx.account,
        region=ctx.region,
        name=f"{listener.name}/{arns.make_id()}",
        priority=priority,
        conditions=wanted,
        actions=parsed.actions,
        transforms=transforms,
    )
    made = replace(made, secret=forwarding.encrypt_secret(ctx, made.arn, parsed, b""))
    tags.save(tx, made.arn, made_tags)
    await _save(tx, None, made)
    return {"Rules": [to_api(made)]}


async def _save(tx: Transaction, before: Rule | None, after: Rule) -> None:
    groups = () if before is None else storing.list_target_groups(before.actions)
    storing.record_uses(tx, after, groups, storing.list_target_groups(after.actions))
    RULES.save(tx, after)
    await forwarding.request_served(tx, after)


def to_api(found: Rule) -> dict[str, Any]:
    """Return a rule as the API has it."""
    return {
        "RuleArn": found.arn,
        "Priority": str(found.priority),
        "Conditions": list(found.conditions),
        "Actions": list(found.actions),
        "IsDefault": False,
        "Transforms": list(found.transforms),
    }


def show_default(listener: Listener) -> dict[str, Any]:
    """Return the default rule of a listener as the API has it."""
    return {
        "RuleArn": listener.default_rule_arn,
        "Priority": "default",
        "Conditions": [],
        "Actions": list(listener.actions),
        "IsDefault": True,
        "Transforms": [],
    }


@service.operation("DescribeRules")
async def describe_rules(ctx: Context, tx: Transaction, params: Params) -> Result:
    names, arn = params.get("RuleArns"), params.get("ListenerArn")
    if not names and not arn:
        raise ValidationError("You must specify either listener rule ARNs or a listener ARN")
    if names and arn:
        raise ValidationError("You cannot specify both listener rule ARNs and a listener ARN")
    if names:
        shown = [await _show_named(ctx, tx, each) for each in dict.fromkeys(names)]
    else:
        listener = await get_listener(ctx, tx, str(arn))
        shown = [*(to_api(each) for each in await storing.list_rules(tx, listener)), show_default(listener)]
    return show_page("Rules", shown, params.get("Marker"), params.get("PageSize"))


async def _show_named(ctx: Context, tx: Transaction, arn: str) -> dict[str, Any]:
    listener = await storing.find_default_rule(ctx, tx, arn)
    return to_api(await get_rule(ctx, tx, arn)) if listener is None else show_default(listener)


async def _get_modifiable(ctx: Context, tx: Transaction, arn: str, verb: str) -> Rule:
    """Return a rule that is no default one. Raises AwsError."""
    if await storing.find_default_rule(ctx, tx, arn) is not None:
        raise ForbiddenOperation(f"Default rule '{arn}' cannot be {verb}")
    return await get_rule(ctx, tx, arn)


@service.operation("ModifyRule")
async def modify_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_modifiable(ctx, tx, params["RuleArn"], "modified")
    listener = await storing.LISTENERS.get(tx, ctx.account, ctx.region, arns.get_listener_name(found.name))
    balancer = await get_load_balancer(ctx, tx, listener.load_balancer_arn)
    if params.get("Transforms") and params.get("ResetTransforms"):
        raise ValidationError("You cannot specify both Transforms and ResetTransforms")
    changed = found
    if params.get("Conditions") is not None:
        changed = replace(changed, conditions=conditions.parse(params["Conditions"], balancer.type))
    if params.get("Actions") is not None:
        parsed: Actions = actions.parse(params["Actions"], listener.protocol)
        await forwarding.check(ctx, tx, balancer, listener.protocol, parsed.actions)
        secret = forwarding.encrypt_secret(ctx, found.arn, parsed, found.secret)
        changed = replace(changed, actions=parsed.actions, secret=secret)
    if params.get("ResetTransforms"):
        changed = replace(changed, transforms=())
    elif params.get("Transforms"):
        changed = replace(changed, transforms=conditions.parse_transforms(params["Transforms"]))
    await _save(tx, found, changed)
    return {"Rules": [to_api(changed)]}


@service.operation("SetRulePriorities")
async def set_rule_priorities(ctx: Context, tx: Transaction, params: Params) -> Result:
    wanted: dict[str, int] = {}
    for pair in params["RulePriorities"]:
        if "RuleArn" not in pair or "Priority" not in pair:
            raise ValidationError("A rule ARN and a priority must be specified")
        wanted[pair["RuleArn"]] = pair["Priority"]
    found = [await _get_modifiable(ctx, tx, arn, "reordered") for arn in wanted]
    if not found:
        raise ValidationError("A rule priority must be specified")
    holders = {arns.get_listener_name(each.name) for each in found}
    if len(holders) > 1:
        raise ValidationError("All rules must belong to the same listener")
    listener = await storing.LISTENERS.get(tx, ctx.account, ctx.region, holders.pop())
    rules = [
        replace(each, priority=wanted.get(each.arn, each.priority)) for each in await storing.list_rules(tx, listener)
    ]
    (priority, count), *_ = Counter(each.priority for each in rules).most_common(1)
    if count > 1:
        raise PriorityInUse(priority)
    changed = [each for each in rules if each.arn in wanted]
    for each in changed:
        RULES.save(tx, each)
    await forwarding.request_served(tx, listener)
    return {"Rules": [to_api(each) for each in sorted(changed, key=lambda rule: rule.priority)]}


@service.operation("DeleteRule")
async def delete_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_modifiable(ctx, tx, params["RuleArn"], "deleted")
    storing.remove_rule(tx, found)
    await forwarding.request_served(tx, found)
    return {}
