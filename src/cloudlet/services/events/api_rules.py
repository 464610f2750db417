"""The operations on rules."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.events import (
    access,
    archive_rule,
    bus,
    bus_record,
    errors,
    paging,
    rule,
    rule_record,
    schedule,
    scheduling,
)
from cloudlet.services.events.block import service
from cloudlet.services.events.bus_record import Bus, Place
from cloudlet.services.events.pattern import compile
from cloudlet.services.events.rule_record import Rule


async def find_rule(
    ctx: Context, tx: Transaction, params: Params, action: str, *, name: str = "Name"
) -> tuple[Bus, Rule | None]:
    """Return the bus and the rule that a request names, if the caller may do this to it. Raises AwsError."""
    of = await bus.get(tx, bus.place_of(ctx, params.get("EventBusName")))
    found = await rule.find(tx, of.place, params[name])
    await access.authorize_rule(ctx, tx, of, action, params, params[name], found)
    return of, found


async def get_rule(ctx: Context, tx: Transaction, params: Params, action: str, *, name: str = "Name") -> Rule:
    """Return the rule that a request names, if the caller may do this to it. Raises AwsError."""
    of, found = await find_rule(ctx, tx, params, action, name=name)
    if found is None:
        raise errors.no_such_rule(params[name], of.name)
    return found


async def _get_place(ctx: Context, tx: Transaction, params: Params, action: str) -> Place:
    """Return the bus whose rules a request is about, if the caller may list them. Raises AwsError."""
    found = await bus.get(tx, bus.place_of(ctx, params.get("EventBusName")))
    # The reference knows no resource for these actions; whom a bus lets in from elsewhere its policy says of the bus.
    arn = "*" if found.account == ctx.account else ""
    await access.authorize(ctx, tx, found, action, arn=arn)
    return found.place


def _shown(found: Rule) -> dict[str, Any]:
    shown = {
        "Name": found.name,
        "Arn": found.arn,
        "EventPattern": found.pattern,
        "ScheduleExpression": found.schedule,
        "State": found.state,
        "Description": found.description,
        "RoleArn": found.role,
        "EventBusName": found.bus,
        "ManagedBy": found.managed,
    }
    return {name: value for name, value in shown.items() if value}


@service.direct("PutRule")
async def put_rule(ctx: Context, params: Params) -> Result | FinalTransaction:
    place = bus.place_of(ctx, params.get("EventBusName"))
    await access.check_trust(ctx, params.get("RoleArn"), rule_record.arn_of(place, params["Name"]))
    return FinalTransaction(lambda tx: _put_rule(ctx, tx, params))


async def _put_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    of, known = await find_rule(ctx, tx, params, "PutRule")
    place = of.place
    name, pattern, expression = params["Name"], params.get("EventPattern") or "", params.get("ScheduleExpression") or ""
    if not pattern and not expression:
        raise errors.validation("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    state = params.get("State") or "ENABLED"
    if state == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS":
        raise errors.not_built(f"the state {state} of rules")
    access.check_role(ctx, params.get("RoleArn"))
    if pattern:
        compile(pattern)
    if expression:
        if place.name != bus_record.DEFAULT:
            raise errors.validation("ScheduleExpression is supported only on the default event bus.")
        schedule.parse(expression)
    if known is not None:
        rule.check_changeable(known)
    else:
        rules = rule.of_bus(place)
        if len(await tx.range(rules.begin, rules.end, limit=rule.RULES)) == rule.RULES:
            raise errors.limit_exceeded()
    put = Rule(
        *place,
        name,
        state,
        pattern,
        expression,
        params.get("Description") or "",
        params.get("RoleArn") or "",
        0 if known is None else known.due,
        creator=known.creator if known is not None else _get_creator(ctx, place),
    )
    rule.save(tx, scheduling.enter(tx, put, ctx.now()))
    # Tags of a rule that is there already are left as they are (API reference, "PutRule").
    if known is None:
        if params.get("Tags"):
            await access.authorize_rule(ctx, tx, of, "TagResource", params, name, None)
        tags.save(tx, put.arn, tags.merge({}, params.get("Tags"), errors.validation))
    return {"RuleArn": put.arn}


def _get_creator(ctx: Context, place: Place) -> str:
    return "" if ctx.account == place.account else ctx.account


@service.operation("DeleteRule")
async def delete_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    _, found = await find_rule(ctx, tx, params, "DeleteRule")
    if found is None:
        return None
    rule.check_changeable(found, force=params.get("Force"))
    if await rule.targets(tx, found):
        raise errors.validation("Rule can't be deleted since it has targets.")
    if found.managed:
        archive_rule.stop(tx, found)
    scheduling.leave(tx, found)
    rule.remove(tx, found)
    tags.save(tx, found.arn, {})
    return None


@service.operation("DescribeRule")
async def describe_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_rule(ctx, tx, params, "DescribeRule")
    return {**_shown(found), "CreatedBy": found.creator or found.account}


async def _set_state(ctx: Context, tx: Transaction, params: Params, action: str, state: str) -> Result:
    found = await get_rule(ctx, tx, params, action)
    rule.check_changeable(found)
    if found.state != state:
        rule.save(tx, scheduling.enter(tx, replace(found, state=state), ctx.now()))
    return None


@service.operation("EnableRule")
async def enable_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _set_state(ctx, tx, params, "EnableRule", "ENABLED")


@service.operation("DisableRule")
async def disable_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _set_state(ctx, tx, params, "DisableRule", "DISABLED")


@service.operation("ListRules")
async def list_rules(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = await _get_place(ctx, tx, params, "ListRules")
    prefix = params.get("NamePrefix") or ""

    def select(raw: bytes) -> dict[str, Any] | None:
        found = rule_record.decode(raw)
        return _shown(found) if found.name.startswith(prefix) else None

    found, token = await paging.page(tx, rule.of_bus(place), params.get("NextToken"), params.get("Limit"), select)
    return {"Rules": found, "NextToken": token}


@service.operation("ListRuleNamesByTarget")
async def list_rule_names_by_target(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = await _get_place(ctx, tx, params, "ListRuleNamesByTarget")
    wanted = params["TargetArn"]
    space = rule.targets_of_bus(place)
    names = {
        space.unpack(key)[0]
        for key, raw in await tx.range(space.begin, space.end, limit=(rule.RULES + rule.MANAGED) * rule.TARGETS)
        if rule_record.decode_target(raw)["Arn"] == wanted
    }

    def select(raw: bytes) -> str | None:
        name = rule_record.decode(raw).name
        return name if name in names else None

    found, token = await paging.page(tx, rule.of_bus(place), params.get("NextToken"), params.get("Limit"), select)
    return {"RuleNames": found, "NextToken": token}
