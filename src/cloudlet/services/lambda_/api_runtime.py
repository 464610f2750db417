"""The operations on how a function's runtime is updated, and on recursion."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.lambda_ import access, errors
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import LATEST
from cloudlet.services.lambda_.functions.settings import Setting


class RuntimeManagement(msgspec.Struct, frozen=True):
    """When a version's runtime is replaced by a newer one."""

    update_on: str = "Auto"


_MANAGEMENT = Setting("runtime-management", RuntimeManagement)


async def _version(ctx: Context, tx: Transaction, params: Params, action: str) -> tuple[FunctionReference, str]:
    what = directory.named(ctx, params["FunctionName"], params.get("Qualifier"))
    await access.authorize(ctx, tx, what, action)
    found = await directory.resolve(tx, what)
    if found.alias is not None:
        raise errors.invalid("Runtime management is for versions of functions, not for aliases.")
    return what, what.qualifier or LATEST


@service.operation("PutRuntimeManagementConfig")
async def put_runtime_management_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what, qualifier = await _version(ctx, tx, params, "PutRuntimeManagementConfig")
    if params["UpdateRuntimeOn"] == "Manual":
        if not params.get("RuntimeVersionArn"):
            raise errors.invalid("RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")
        raise errors.not_built("versions of runtimes")
    if params.get("RuntimeVersionArn"):
        raise errors.invalid("RuntimeVersionArn can only be specified when UpdateRuntimeOn is Manual.")
    _MANAGEMENT.save(tx, what.place, qualifier, RuntimeManagement(params["UpdateRuntimeOn"]))
    return {"UpdateRuntimeOn": params["UpdateRuntimeOn"], "FunctionArn": what.place.qualified(qualifier)}


@service.operation("GetRuntimeManagementConfig")
async def get_runtime_management_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    what, qualifier = await _version(ctx, tx, params, "GetRuntimeManagementConfig")
    found = await _MANAGEMENT.find(tx, what.place, qualifier) or RuntimeManagement()
    return {"UpdateRuntimeOn": found.update_on, "FunctionArn": what.place.qualified(qualifier)}


@service.operation("PutFunctionRecursionConfig")
async def put_function_recursion_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    function = await access.function(ctx, tx, params["FunctionName"], "PutFunctionRecursionConfig")
    directory.save_function(tx, replace(function, recursion=params["RecursiveLoop"]))
    return {"RecursiveLoop": params["RecursiveLoop"]}


@service.operation("GetFunctionRecursionConfig")
async def get_function_recursion_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {
        "RecursiveLoop": (
            await access.function(ctx, tx, params["FunctionName"], "GetFunctionRecursionConfig")
        ).recursion
    }
