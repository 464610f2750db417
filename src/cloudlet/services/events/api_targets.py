"""The operations on the targets of rules."""

from __future__ import annotations

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.services.events import access, bus, errors, paging, rule, rule_record, target_check
from cloudlet.services.events.api_rules import get_rule
from cloudlet.services.events.block import service


@service.direct("PutTargets")
async def put_targets(ctx: Context, params: Params) -> Result | FinalTransaction:
    arn = rule_record.arn_of(bus.place_of(ctx, params.get("EventBusName")), params["Rule"])
    for role in sorted({each["RoleArn"] for each in params["Targets"] if each.get("RoleArn")}):
        await access.check_trust(ctx, role, arn)
    return FinalTransaction(lambda tx: _put_targets(ctx, tx, params))


async def _put_targets(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_rule(ctx, tx, params, "PutTargets", name="Rule")
    rule.check_changeable(found)
    given = {each["Id"]: each for each in params["Targets"]}
    if len(given) < len(params["Targets"]):
        raise errors.validation("Target Ids must be unique within a request.")
    known = {each["Id"] for each in await rule.targets(tx, found)}
    if len(known | given.keys()) > rule.TARGETS:
        raise errors.limit_exceeded()
    for each in given.values():
        await target_check.check(ctx, tx, found, each)
        rule.save_target(tx, found, each)
    return {"FailedEntryCount": 0, "FailedEntries": []}


@service.operation("RemoveTargets")
async def remove_targets(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_rule(ctx, tx, params, "RemoveTargets", name="Rule")
    rule.check_changeable(found, force=params.get("Force"))
    for id in params["Ids"]:
        rule.remove_target(tx, found, id)
    return {"FailedEntryCount": 0, "FailedEntries": []}


@service.operation("ListTargetsByRule")
async def list_targets_by_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_rule(ctx, tx, params, "ListTargetsByRule", name="Rule")
    targets, token = await paging.page(
        tx, rule.targets_of(found), params.get("NextToken"), params.get("Limit"), rule_record.decode_target
    )
    return {"Targets": targets, "NextToken": token}
