"""The operations on published versions."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.lambda_ import access, errors, paging
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.functions import directory, environments, showing, versions


@service.direct("PublishVersion")
@environments.make_revealing
async def publish_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = directory.function_only(directory.named(ctx, params["FunctionName"]))
    if params.get("PublishTo"):
        raise errors.not_built("the parameter PublishTo of functions")
    await access.authorize(ctx, tx, what, "PublishVersion")
    latest = await directory.latest(tx, what.place)
    versions.check_changeable(latest, params.get("RevisionId"))
    wanted, present = params.get("CodeSha256"), latest.package.sha256
    if wanted and wanted != present:
        raise errors.invalid(
            f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({present}). Please try again "
            "with the CodeSHA256 in $LATEST."
        )
    return showing.configuration(await versions.publish(tx, latest, params.get("Description") or None, ctx.now()))


@service.direct("ListVersionsByFunction")
@environments.make_revealing
async def list_versions_by_function(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = directory.named(ctx, params["FunctionName"])
    await access.authorize(ctx, tx, what, "ListVersionsByFunction")
    await directory.function(tx, what.place)
    found, marker = await paging.page(
        tx,
        directory.versions_of(what.place),
        params.get("Marker"),
        params.get("MaxItems"),
        lambda raw: showing.listed(directory.decode_version(raw)),
    )
    return {"Versions": found, "NextMarker": marker}
