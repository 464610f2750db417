"""The operations on VPC links of REST APIs."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.apigateway import documents, errors, tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest import apis, deploying, link_states, listing, patches, store

_PATHS = (patches.value("/name"), patches.value("/description"))
_MOST = 20


def _tags_key(ctx: Context, id: str) -> str:
    return tagging.key(ctx, f"vpclinks/{id}")


async def _shown(ctx: Context, tx: Transaction, link: Document) -> dict[str, Any]:
    return {**link, **await tagging.shown(tx, _tags_key(ctx, link["id"]))}


@service.operation("CreateVpcLink")
async def create_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    await store.check_quota(tx, store.owned(ctx, "VpcLink"), _MOST, "VPC links")
    if len(params["targetArns"]) != 1 or ":loadbalancer/net/" not in params["targetArns"][0]:
        raise errors.bad_request("A VPC link has one target: the ARN of a network load balancer")
    id = documents.fresh_id(6)
    link: Document = {
        "id": id,
        "name": params["name"],
        "targetArns": params["targetArns"],
        "status": link_states.PENDING,
    }
    if params.get("description"):
        link["description"] = params["description"]
    store.save_owned(ctx, tx, "VpcLink", id, link)
    link_states.RECONCILER.request(tx, ctx.account, ctx.region, id)
    tags.save(tx, _tags_key(ctx, id), tagging.checked(params.get("tags")))
    return await _shown(ctx, tx, link)


@service.operation("GetVpcLink")
async def get_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["vpcLinkId"]
    return await _shown(ctx, tx, await store.get_owned(ctx, tx, "VpcLink", id))


@service.operation("GetVpcLinks")
async def get_vpc_links(ctx: Context, tx: Transaction, params: Params) -> Result:
    page = await listing.page(tx, store.owned(ctx, "VpcLink"), params)
    return {**page, "items": [await _shown(ctx, tx, each) for each in page["items"]]}


@service.operation("UpdateVpcLink")
async def update_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["vpcLinkId"]
    known = await store.get_owned(ctx, tx, "VpcLink", id)
    link = patches.patched(known, params.get("patchOperations"), _PATHS)
    store.save_owned(ctx, tx, "VpcLink", id, link)
    return await _shown(ctx, tx, link)


@service.operation("DeleteVpcLink")
async def delete_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["vpcLinkId"]
    await store.get_owned(ctx, tx, "VpcLink", id)
    space = store.apis_of(ctx.account, ctx.region)
    for _, raw in await tx.range(space.begin, space.end, limit=apis.MOST):
        for _, method in await deploying.methods_of(tx, documents.decode(raw)["id"]):
            if (method.get("methodIntegration") or {}).get("connectionId") == id:
                raise errors.bad_request("Cannot delete vpc link. Vpc link is referenced in method")
    store.remove_owned(ctx, tx, "VpcLink", id)
    tags.save(tx, _tags_key(ctx, id), {})
    return {}
