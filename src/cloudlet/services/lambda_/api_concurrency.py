"""The operations on reserved and provisioned concurrency, and on what an account may use."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.lambda_ import access, errors, paging
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.code import packages
from cloudlet.services.lambda_.functions import concurrency, directory, provisioning, showing
from cloudlet.services.lambda_.functions.concurrency import PROVISIONED, Provisioned
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import LATEST, Place


@service.operation("GetAccountSettings")
async def get_account_settings(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {
        "AccountLimit": {
            "TotalCodeSize": packages.ALL_BYTES,
            "CodeSizeUnzipped": packages.UNZIPPED_BYTES,
            "CodeSizeZipped": packages.ZIPPED_BYTES,
            "ConcurrentExecutions": concurrency.OF_ACCOUNT,
            "UnreservedConcurrentExecutions": await concurrency.unreserved(tx, ctx.account, ctx.region),
        },
        "AccountUsage": {
            "TotalCodeSize": await directory.code_bytes(tx, ctx.account, ctx.region),
            "FunctionCount": await directory.count(tx, ctx.account, ctx.region),
        },
    }


@service.operation("PutFunctionConcurrency")
async def put_function_concurrency(ctx: Context, tx: Transaction, params: Params) -> Result:
    function = await access.function(ctx, tx, params["FunctionName"], "PutFunctionConcurrency")
    wanted = params["ReservedConcurrentExecutions"]
    await concurrency.reserve(tx, function, wanted)
    directory.save_function(tx, replace(function, reserved_concurrency=wanted))
    return {"ReservedConcurrentExecutions": wanted}


@service.operation("GetFunctionConcurrency")
async def get_function_concurrency(ctx: Context, tx: Transaction, params: Params) -> Result:
    function = await access.function(ctx, tx, params["FunctionName"], "GetFunctionConcurrency")
    reserved = function.reserved_concurrency
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


@service.operation("DeleteFunctionConcurrency")
async def delete_function_concurrency(ctx: Context, tx: Transaction, params: Params) -> Result:
    function = await access.function(ctx, tx, params["FunctionName"], "DeleteFunctionConcurrency")
    concurrency.release(tx, function)
    directory.save_function(tx, replace(function, reserved_concurrency=None))
    return None


async def _published(ctx: Context, tx: Transaction, params: Params, action: str) -> FunctionReference:
    """Return the version or alias that a request is about. Raises AwsError."""
    what = directory.named(ctx, params["FunctionName"], params["Qualifier"])
    await access.authorize(ctx, tx, what, action)
    found = await directory.resolve(tx, what)
    if LATEST in (what.qualifier, found.version.version):
        raise errors.invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
    return what


def _shown(found: Provisioned) -> dict[str, Any]:
    status = "READY" if found.available >= found.requested else "FAILED" if found.reason else "IN_PROGRESS"
    shown = {
        "RequestedProvisionedConcurrentExecutions": found.requested,
        "AvailableProvisionedConcurrentExecutions": found.available,
        "AllocatedProvisionedConcurrentExecutions": found.available,
        "Status": status,
        "LastModified": showing.moment(found.modified),
    }
    return {**shown, "StatusReason": found.reason} if found.reason else shown


@service.operation("PutProvisionedConcurrencyConfig")
async def put_provisioned_concurrency_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = await _published(ctx, tx, params, "PutProvisionedConcurrencyConfig")
    qualifier = str(what.qualifier)
    wanted = params["ProvisionedConcurrentExecutions"]
    version = (await directory.resolve(tx, what)).version
    concurrency.check_provisionable(version)
    await concurrency.check_provisioned_once(tx, what, version)
    function = await directory.function(tx, what.place)
    most = function.reserved_concurrency
    if most is None:
        # All functions that have reserved nothing share what others leave them.
        unreserved = await concurrency.unreserved(tx, what.place.account, what.place.region)
        most, others = unreserved - concurrency.UNRESERVED, await provisioning.of_account(tx, what)
    else:
        others = await concurrency.provisioned(tx, what.place, besides=qualifier)
    if wanted + others > most:
        raise errors.invalid(
            f"Specified ConcurrentExecutions for function is greater than function's limit of [{most}]."
        )
    found = Provisioned(wanted, ctx.now())
    PROVISIONED.save(tx, what.place, qualifier, found)
    provisioning.changed(tx, what)
    return _shown(found)


@service.operation("GetProvisionedConcurrencyConfig")
async def get_provisioned_concurrency_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = await _published(ctx, tx, params, "GetProvisionedConcurrencyConfig")
    found = await PROVISIONED.find(tx, what.place, str(what.qualifier))
    if found is None:
        raise AwsError(
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
            Type="User",
        )
    return _shown(found)


@service.operation("ListProvisionedConcurrencyConfigs")
async def list_provisioned_concurrency_configs(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = (await access.function(ctx, tx, params["FunctionName"], "ListProvisionedConcurrencyConfigs")).place
    space = PROVISIONED.of(place)
    found, marker = await paging.rows(tx, space, params.get("Marker"), params.get("MaxItems"))
    shown = [_listed(place, space.unpack(key)[0], PROVISIONED.decode(raw)) for key, raw in found]
    return {"ProvisionedConcurrencyConfigs": shown, "NextMarker": marker}


def _listed(place: Place, qualifier: str, found: Provisioned) -> dict[str, Any]:
    return {"FunctionArn": place.qualified(qualifier), **_shown(found)}


@service.operation("DeleteProvisionedConcurrencyConfig")
async def delete_provisioned_concurrency_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = await _published(ctx, tx, params, "DeleteProvisionedConcurrencyConfig")
    PROVISIONED.remove(tx, what.place, str(what.qualifier))
    provisioning.changed(tx, what)
    return None
