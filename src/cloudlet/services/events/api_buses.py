"""The operations on buses and their policies."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.events import access, bus, bus_record, errors, paging, rule
from cloudlet.services.events.block import service
from cloudlet.services.events.bus_record import Bus, Place

_BUSES = 100
"""Of an account in a region, at most, besides the default bus."""


def _refuse_unbuilt(params: Params) -> None:
    for name in ("EventSourceName", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"):
        if params.get(name):
            raise errors.not_built(f"the parameter {name} of event buses")


def _shown(found: Bus) -> dict[str, Any]:
    shown = {
        "Name": found.name,
        "Arn": found.place.arn,
        "Description": found.description,
        "Policy": found.policy,
        "CreationTime": found.created,
        "LastModifiedTime": found.modified,
    }
    return {name: value for name, value in shown.items() if value}


@service.operation("CreateEventBus")
async def create_event_bus(ctx: Context, tx: Transaction, params: Params) -> Result:
    _refuse_unbuilt(params)
    name = params["Name"]
    if "/" in name:
        raise errors.validation(f"Event bus name {name} is not valid: a slash is for partner event buses only.")
    place = Place(ctx.account, ctx.region, name)
    if await bus.find(tx, place) is not None:
        raise AwsError("ResourceAlreadyExistsException", f"Event bus {name} already exists.")
    space = bus.of_account(ctx.account, ctx.region)
    if len(await tx.range(space.begin, space.end, limit=_BUSES)) == _BUSES:
        raise errors.limit_exceeded()
    tags.save(tx, place.arn, tags.merge({}, params.get("Tags"), errors.validation))
    description = params.get("Description") or ""
    bus.save(tx, Bus(*place, ctx.now(), ctx.now(), description))
    return {"EventBusArn": place.arn, "Description": description or None}


@service.operation("UpdateEventBus")
async def update_event_bus(ctx: Context, tx: Transaction, params: Params) -> Result:
    _refuse_unbuilt(params)
    found = await bus.get(tx, Place(ctx.account, ctx.region, params.get("Name") or bus_record.DEFAULT))
    changed = replace(
        found,
        description=params.get("Description", found.description),
        modified=ctx.now(),
    )
    bus.save(tx, changed)
    return {"Arn": changed.place.arn, "Name": changed.name, "Description": changed.description or None}


@service.operation("DeleteEventBus")
async def delete_event_bus(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params["Name"] == bus_record.DEFAULT:
        raise errors.validation("Cannot delete event bus default.")
    found = await bus.find(tx, Place(ctx.account, ctx.region, params["Name"]))
    if found is None:
        return None
    rules = rule.of_bus(found.place)
    if await tx.range(rules.begin, rules.end, limit=1):
        raise errors.validation(f"Cannot delete event bus {found.name}. Rules must be deleted first.")
    bus.remove(tx, found)
    tags.save(tx, found.place.arn, {})
    return None


@service.operation("DescribeEventBus")
async def describe_event_bus(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await bus.get(tx, bus.place_of(ctx, params.get("Name")))
    await access.authorize(ctx, tx, found, "DescribeEventBus")
    return _shown(found)


@service.operation("ListEventBuses")
async def list_event_buses(ctx: Context, tx: Transaction, params: Params) -> Result:
    prefix = params.get("NamePrefix") or ""
    place = Place(ctx.account, ctx.region, bus_record.DEFAULT)
    first = params.get("NextToken") is None and bus_record.DEFAULT.startswith(prefix)
    limit = params.get("Limit") or 100

    def select(raw: bytes) -> dict[str, Any] | None:
        found = bus_record.decode(raw)
        return _shown(found) if found.name.startswith(prefix) and found.name != bus_record.DEFAULT else None

    shown = [_shown(await bus.get(tx, place))] if first else []
    space = bus.of_account(ctx.account, ctx.region)
    if first and limit == 1:
        return {"EventBuses": shown, "NextToken": paging.BEGINNING}
    found, token = await paging.page(tx, space, params.get("NextToken"), limit - len(shown), select)
    return {"EventBuses": shown + found, "NextToken": token}


@service.operation("PutPermission")
async def put_permission(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await bus.get(tx, Place(ctx.account, ctx.region, params.get("EventBusName") or bus_record.DEFAULT))
    given = [params.get(name) for name in ("Action", "Principal", "StatementId")]
    if params.get("Policy"):
        if any(given) or params.get("Condition"):
            raise errors.validation("Policy cannot be combined with Action, Principal, StatementId, or Condition.")
        policy = access.with_policy(params["Policy"])
    else:
        if not all(given):
            raise errors.validation("Action, Principal, and StatementId are required where there is no Policy.")
        policy = access.with_statement(
            found, params["StatementId"], params["Action"], params["Principal"], params.get("Condition")
        )
    bus.save(tx, replace(found, policy=policy, modified=ctx.now()))
    return None


@service.operation("RemovePermission")
async def remove_permission(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await bus.get(tx, Place(ctx.account, ctx.region, params.get("EventBusName") or bus_record.DEFAULT))
    if params.get("RemoveAllPermissions"):
        policy = ""
    elif params.get("StatementId"):
        policy = access.without_statement(found, params["StatementId"])
    else:
        raise errors.validation("Parameter StatementId is required unless RemoveAllPermissions is true.")
    bus.save(tx, replace(found, policy=policy, modified=ctx.now()))
    return None
