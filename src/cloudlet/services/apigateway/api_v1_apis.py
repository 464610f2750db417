"""The operations on REST APIs."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.apigateway import documents, tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.rest import apis, deploying, documentation, listing, patches, store


@service.operation("CreateRestApi")
async def create_rest_api(ctx: Context, tx: Transaction, params: Params) -> Result:
    given = {member: params.get(member) for member in (*apis.MEMBERS, "securityPolicy", "endpointAccessMode")}
    source = None if "cloneFrom" not in params else await store.get_api(ctx, tx, params["cloneFrom"])
    api = await apis.create(ctx, tx, given, params.get("tags"))
    if source is not None:
        api = await apis.copy(tx, source, api)
        store.save_api(ctx, tx, api)
    return await apis.shown(ctx, tx, api)


@service.operation("GetRestApi")
async def get_rest_api(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await apis.shown(ctx, tx, await store.get_api(ctx, tx, params["restApiId"]))


@service.operation("GetRestApis")
async def get_rest_apis(ctx: Context, tx: Transaction, params: Params) -> Result:
    page = await listing.page(tx, store.apis_of(ctx.account, ctx.region), params)
    return {**page, "items": [await apis.shown(ctx, tx, api) for api in page["items"]]}


@service.operation("UpdateRestApi")
async def update_rest_api(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await store.get_api(ctx, tx, params["restApiId"])
    api = apis.checked(patches.patched(known, params.get("patchOperations"), apis.PATHS))
    store.save_api(ctx, tx, api)
    return await apis.shown(ctx, tx, api)


@service.operation("DeleteRestApi")
async def delete_rest_api(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    await apis.check_unmapped(ctx, tx, api["id"])
    for stage in await documents.all_parts(tx, api["id"], "Stage"):
        tags.save(tx, tagging.key(ctx, deploying.stage_path(api["id"], stage["stageName"])), {})
    deploying.remove_all(tx, api["id"])
    documentation.forget_all(tx, api["id"])
    store.remove_api(ctx, tx, api["id"])
    tags.save(tx, tagging.key(ctx, apis.path_of(api["id"])), {})
    return {}
