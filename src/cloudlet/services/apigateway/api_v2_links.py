"""The operations on VPC links."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.apigateway import errors, links, listing, merging, tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, fresh_id


async def _shown(ctx: Context, tx: Transaction, link: Document) -> dict[str, Any]:
    return {**links.to_api(link), "Tags": await tags.load(tx, tagging.key(ctx, f"vpclinks/{link['VpcLinkId']}"))}


@service.operation("apigatewayv2:CreateVpcLink")
async def create_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    space = links.of_account(ctx.account, ctx.region)
    if len(await tx.range(space.begin, space.end, limit=links.MOST)) == links.MOST:
        raise errors.too_many("Maximum number of VPC links for this account has been reached.")
    if not params["SubnetIds"]:
        raise errors.bad_request("At least one subnet is required")
    link = {
        "VpcLinkId": fresh_id(6),
        "Name": params["Name"],
        "SubnetIds": params["SubnetIds"],
        "SecurityGroupIds": params.get("SecurityGroupIds") or [],
        "CreatedDate": ctx.now(),
        "VpcLinkVersion": "V2",
        "VpcLinkStatus": links.PENDING,
    }
    links.save(ctx, tx, link)
    tags.save(tx, tagging.key(ctx, f"vpclinks/{link['VpcLinkId']}"), tagging.checked(params.get("Tags")))
    return await _shown(ctx, tx, link)


@service.operation("apigatewayv2:GetVpcLink")
async def get_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _shown(ctx, tx, await links.get(ctx, tx, params["VpcLinkId"]))


@service.operation("apigatewayv2:GetVpcLinks")
async def get_vpc_links(ctx: Context, tx: Transaction, params: Params) -> Result:
    result = await listing.page(tx, links.of_account(ctx.account, ctx.region), params)
    return {**result, "Items": [await _shown(ctx, tx, link) for link in result["Items"]]}


@service.operation("apigatewayv2:UpdateVpcLink")
async def update_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    link = merging.merged(await links.get(ctx, tx, params["VpcLinkId"]), params, ("Name",))
    links.save(ctx, tx, link)
    return await _shown(ctx, tx, link)


@service.operation("apigatewayv2:DeleteVpcLink")
async def delete_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    link = await links.get(ctx, tx, params["VpcLinkId"])
    links.remove(ctx, tx, link["VpcLinkId"])
    tags.save(tx, tagging.key(ctx, f"vpclinks/{link['VpcLinkId']}"), {})
    return {}
