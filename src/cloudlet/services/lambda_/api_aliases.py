"""The operations on aliases. Developer guide, "Create an alias for a Lambda function" and "Weighted aliases"."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.lambda_ import access, errors, paging
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.functions import concurrency, deleting, directory, provisioning
from cloudlet.services.lambda_.functions.concurrency import PROVISIONED
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import LATEST, Alias, Place


def _shown(alias: Alias) -> dict[str, Any]:
    shown = {
        "AliasArn": alias.arn,
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision,
    }
    return {**shown, "RoutingConfig": {"AdditionalVersionWeights": alias.weights}} if alias.weights else shown


async def _alias(tx: Transaction, place: Place, name: str) -> Alias:
    alias = await directory.find_alias(tx, place, name)
    if alias is None:
        raise errors.no_such_alias(place.qualified(name))
    return alias


async def _check(tx: Transaction, alias: Alias) -> None:
    """Raise AwsError for an alias of versions that are not there, or that cannot share it."""
    if len(alias.weights) > 1:
        raise errors.invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    is_provisioned = await PROVISIONED.find(tx, alias.place, alias.name) is not None
    for version in (alias.version, *alias.weights):
        found = await directory.resolve(tx, FunctionReference(alias.place, version))
        if is_provisioned:
            concurrency.check_provisionable(found.version)
            await concurrency.check_provisioned_once(tx, FunctionReference(alias.place, alias.name), found.version)
    if alias.weights and alias.version == LATEST:
        raise errors.invalid("$LATEST is not supported for an alias pointing to more than 1 version")
    if alias.version in alias.weights:
        raise errors.invalid(
            f"Invalid function version {alias.version}. Function version {alias.version} is already included in "
            "routing configuration."
        )


def _weights(params: Params) -> dict[str, float]:
    return dict((params.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


@service.operation("CreateAlias")
async def create_alias(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = (await access.function(ctx, tx, params["FunctionName"], "CreateAlias")).place
    alias = Alias(
        place=place,
        name=params["Name"],
        version=params["FunctionVersion"],
        description=params.get("Description") or "",
        weights=_weights(params),
        revision=uuid4(),
    )
    if await directory.find_alias(tx, place, alias.name) is not None:
        raise errors.conflict(f"Alias already exists: {alias.arn}")
    await _check(tx, alias)
    directory.save_alias(tx, alias)
    return _shown(alias)


@service.operation("UpdateAlias")
async def update_alias(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = (await access.function(ctx, tx, params["FunctionName"], "UpdateAlias")).place
    alias = await directory.find_alias(tx, place, params["Name"])
    if alias is None:
        raise errors.not_found(f"Alias not found: {place.qualified(params['Name'])}")
    if params.get("RevisionId") and params["RevisionId"] != alias.revision:
        raise errors.stale_revision()
    before = alias.version
    changes: dict[str, Any] = {"revision": uuid4()}
    if params.get("FunctionVersion"):
        changes["version"] = params["FunctionVersion"]
    if params.get("Description") is not None:
        changes["description"] = params["Description"]
    if params.get("RoutingConfig") is not None:
        changes["weights"] = _weights(params)
    alias = replace(alias, **changes)
    await _check(tx, alias)
    directory.save_alias(tx, alias)
    if alias.version != before:
        await provisioning.moved(tx, alias)
    return _shown(alias)


@service.operation("GetAlias")
async def get_alias(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = (await access.function(ctx, tx, params["FunctionName"], "GetAlias")).place
    return _shown(await _alias(tx, place, params["Name"]))


@service.operation("ListAliases")
async def list_aliases(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = (await access.function(ctx, tx, params["FunctionName"], "ListAliases")).place
    version = params.get("FunctionVersion")

    def select(raw: bytes) -> dict[str, Any] | None:
        alias = directory.decode_alias(raw)
        return _shown(alias) if version in (None, alias.version, *alias.weights) else None

    found, marker = await paging.page(
        tx, directory.aliases_of(place), params.get("Marker"), params.get("MaxItems"), select
    )
    return {"Aliases": found, "NextMarker": marker}


@service.operation("DeleteAlias")
async def delete_alias(ctx: Context, tx: Transaction, params: Params) -> Result:
    place = (await access.function(ctx, tx, params["FunctionName"], "DeleteAlias")).place
    alias = await directory.find_alias(tx, place, params["Name"])
    if alias is not None:
        await deleting.delete_alias(tx, alias)
    return None
