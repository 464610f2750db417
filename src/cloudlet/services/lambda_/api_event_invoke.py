"""The operations on what is set for asynchronous invocations."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.lambda_ import access, errors, paging
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.functions import directory, event_invoke
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.event_invoke import EVENT_INVOKE, EventInvoke
from cloudlet.services.lambda_.functions.function import LATEST


async def _named(ctx: Context, tx: Transaction, params: Params, action: str) -> tuple[FunctionReference, str]:
    """Return what a request is about, and by which qualifier its setting is kept. Raises AwsError."""
    what = directory.named(ctx, params["FunctionName"], params.get("Qualifier"))
    await access.authorize(ctx, tx, what, action)
    return what, what.qualifier or LATEST


def _shown(arn: str, setting: EventInvoke) -> dict[str, Any]:
    destinations = {
        "OnSuccess": {"Destination": setting.on_success} if setting.on_success else {},
        "OnFailure": {"Destination": setting.on_failure} if setting.on_failure else {},
    }
    return {
        "LastModified": setting.modified,
        "FunctionArn": arn,
        "MaximumRetryAttempts": setting.attempts,
        "MaximumEventAgeInSeconds": setting.age,
        "DestinationConfig": destinations,
    }


def _changes(params: Params) -> dict[str, Any]:
    given = {"attempts": params.get("MaximumRetryAttempts"), "age": params.get("MaximumEventAgeInSeconds")}
    destinations = params.get("DestinationConfig") or {}
    for name, field in (("OnSuccess", "on_success"), ("OnFailure", "on_failure")):
        if destinations.get(name) is not None:
            given[field] = destinations[name].get("Destination") or ""
    return {name: value for name, value in given.items() if value is not None}


async def _save(ctx: Context, tx: Transaction, params: Params, action: str, *, anew: bool) -> Result:
    what, qualifier = await _named(ctx, tx, params, action)
    if anew:
        await directory.resolve(tx, what)
    changes = _changes(params)
    if not changes:
        raise errors.invalid("You must specify at least one of error handling or destination setting.")
    before = None if anew else await EVENT_INVOKE.find(tx, what.place, qualifier)
    if before is None and not anew:
        raise _none(what, qualifier)
    setting = replace(before or EventInvoke(modified=0.0), modified=ctx.now(), **changes)
    event_invoke.check(setting, what.place.arn)
    EVENT_INVOKE.save(tx, what.place, qualifier, setting)
    return _shown(what.place.qualified(qualifier), setting)


def _none(what: FunctionReference, qualifier: str) -> Exception:
    return errors.not_found(f"The function {what.place.qualified(qualifier)} doesn't have an EventInvokeConfig")


@service.operation("PutFunctionEventInvokeConfig")
async def put_function_event_invoke_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _save(ctx, tx, params, "PutFunctionEventInvokeConfig", anew=True)


@service.operation("UpdateFunctionEventInvokeConfig")
async def update_function_event_invoke_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _save(ctx, tx, params, "UpdateFunctionEventInvokeConfig", anew=False)


@service.operation("GetFunctionEventInvokeConfig")
async def get_function_event_invoke_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what, qualifier = await _named(ctx, tx, params, "GetFunctionEventInvokeConfig")
    setting = await EVENT_INVOKE.find(tx, what.place, qualifier)
    if setting is None:
        raise _none(what, qualifier)
    return _shown(what.place.qualified(qualifier), setting)


@service.operation("ListFunctionEventInvokeConfigs")
async def list_function_event_invoke_configs(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = (await access.function(ctx, tx, params["FunctionName"], "ListFunctionEventInvokeConfigs")).place
    space = EVENT_INVOKE.of(place)
    found, marker = await paging.rows(tx, space, params.get("Marker"), params.get("MaxItems"))
    shown = [_shown(place.qualified(space.unpack(key)[0]), EVENT_INVOKE.decode(raw)) for key, raw in found]
    return {"FunctionEventInvokeConfigs": shown, "NextMarker": marker}


@service.operation("DeleteFunctionEventInvokeConfig")
async def delete_function_event_invoke_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what, qualifier = await _named(ctx, tx, params, "DeleteFunctionEventInvokeConfig")
    if await EVENT_INVOKE.find(tx, what.place, qualifier) is None:
        raise _none(what, qualifier)
    EVENT_INVOKE.remove(tx, what.place, qualifier)
    return None
