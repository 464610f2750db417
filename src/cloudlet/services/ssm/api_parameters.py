"""The operations that put, get and delete parameters by their names."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.ssm import access, names, parameters, putting, reading
from cloudlet.services.ssm.block import service
from cloudlet.services.ssm.errors import ParameterNotFound, ValidationError, VersionNotFound


@service.direct("PutParameter")
async def put_parameter(ctx: Context, params: Params) -> Result:
    version = await putting.put(ctx, params)
    return {"Version": version.number, "Tier": version.tier}


@service.direct("GetParameter")
async def get_parameter(ctx: Context, params: Params) -> Result:
    decrypts = bool(params.get("WithDecryption"))
    return {"Parameter": await reading.read(ctx, "GetParameter", params["Name"], decrypts=decrypts)}


@service.direct("GetParameters")
async def get_parameters(ctx: Context, params: Params) -> Result:
    """Get several parameters, in the order of their names."""
    found: list[dict[str, Any]] = []
    invalid: list[str] = []
    for name in dict.fromkeys(params["Names"]):
        try:
            decrypts = bool(params.get("WithDecryption"))
            found.append(await reading.read(ctx, "GetParameters", name, decrypts=decrypts))
        except (ParameterNotFound, VersionNotFound, ValidationError):
            invalid.append(name)
    access.authorize_nothing(ctx, "GetParameters")
    return {"Parameters": sorted(found, key=lambda each: each["Name"]), "InvalidParameters": invalid}


@service.operation("DeleteParameter")
async def delete_parameter(ctx: Context, tx: Transaction, params: Params) -> Result:
    if not await _delete(ctx, tx, "DeleteParameter", params["Name"]):
        raise ParameterNotFound
    return {}


@service.operation("DeleteParameters")
async def delete_parameters(ctx: Context, tx: Transaction, params: Params) -> Result:
    deleted: list[str] = []
    invalid: list[str] = []
    for name in dict.fromkeys(params["Names"]):
        try:
            is_gone = await _delete(ctx, tx, "DeleteParameters", name)
        except ValidationError:
            is_gone = False
        (deleted if is_gone else invalid).append(name)
    access.authorize_nothing(ctx, "DeleteParameters")
    return {"DeletedParameters": deleted, "InvalidParameters": invalid}


async def _delete(ctx: Context, tx: Transaction, action: str, name: str) -> bool:
    """Delete a parameter; return whether there was one."""
    reference = names.parse_own_name(ctx, name)
    found = await parameters.find(tx, ctx.account, ctx.region, reference.name)
    access.authorize(ctx, action, reference, found)
    if found is not None:
        parameters.remove(tx, found, ctx.now())
    return found is not None
