"""The operations on CIDR collections."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing, page_tokens
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.route53 import cidr_collections, errors, limits, pages, record_sets, zones
from cloudlet.services.route53.block import REGION, service
from cloudlet.services.route53.cidr_collections import COLLECTIONS
from cloudlet.services.route53.cidr_record import CidrCollection


@service.operation("CreateCidrCollection")
async def create_cidr_collection(ctx: Context, tx: Transaction, params: Params) -> Result:
    space = COLLECTIONS.get_space(ctx.account, REGION)
    there = [COLLECTIONS.decode(raw) for _, raw in await pages.read_rows(tx, space.begin, space.end)]
    for each in there:
        if each.reference == params["CallerReference"] and each.title == params["Name"]:
            return _describe(each)
        if params["Name"] == each.title or params["CallerReference"] == each.reference:
            raise AwsError(
                "CidrCollectionAlreadyExistsException",
                "A CIDR collection with this name and a different caller reference already exists in this account.",
            )
    if len(there) >= limits.MAX_CIDR_COLLECTIONS:
        raise errors.QuotaExcess(f"An account has at most {limits.MAX_CIDR_COLLECTIONS} CIDR collections.")
    made = CidrCollection(ctx.account, uuid4(), params["Name"], params["CallerReference"])
    COLLECTIONS.save(tx, made)
    return _describe(made)


def _describe(made: CidrCollection) -> dict[str, Any]:
    location = f"https://route53.amazonaws.com/2013-04-01/cidrcollection/{made.name}"
    return {"Collection": cidr_collections.to_api(made), "Location": location}


@service.operation("ChangeCidrCollection")
async def change_cidr_collection(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await COLLECTIONS.get(tx, ctx.account, REGION, params["Id"])
    version = params.get("CollectionVersion")
    if version is not None and version != found.version:
        raise AwsError(
            "CidrCollectionVersionMismatchException",
            f"The CIDR collection version you provided, {version}, does not match the one in the account, "
            f"{found.version}.",
        )
    if sum(len(each["CidrList"]) for each in params["Changes"]) > limits.MAX_CIDR_BLOCK_CHANGES:
        raise errors.InvalidInput(f"A request changes at most {limits.MAX_CIDR_BLOCK_CHANGES} CIDR blocks.")
    after = cidr_collections.apply_changes(found.locations, params["Changes"])
    for gone in found.locations.keys() - after.keys():
        space = record_sets.CIDR_USES.sub(found.name, gone)
        if await tx.range(space.begin, space.end, limit=1):
            raise AwsError("CidrBlockInUseException", f"The CIDR location {gone} is in use by resource record sets.")
    COLLECTIONS.save(tx, replace(found, version=found.version + 1, locations=after))
    return {"Id": zones.begin_change(ctx, tx)["Id"].rpartition("/")[2]}


@service.operation("DeleteCidrCollection")
async def delete_cidr_collection(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await COLLECTIONS.get(tx, ctx.account, REGION, params["Id"])
    space = record_sets.CIDR_USES.sub(found.name)
    if found.locations or await tx.range(space.begin, space.end, limit=1):
        raise AwsError("CidrCollectionInUseException", f"The CIDR collection {found.name} is in use.")
    COLLECTIONS.remove(tx, found)
    return {}


@service.operation("ListCidrCollections")
async def list_cidr_collections(ctx: Context, tx: Transaction, params: Params) -> Result:
    space, wrong = COLLECTIONS.get_space(ctx.account, REGION), errors.InvalidInput("Invalid NextToken.")
    limit = pages.read_limit(params, member="MaxResults")
    rows, token = await listing.list_rows(tx, space, params.get("NextToken"), limit, wrong)
    shown = [cidr_collections.to_api(COLLECTIONS.decode(raw)) for _, raw in rows]
    return {"CidrCollections": shown, "NextToken": token}


@service.operation("ListCidrLocations")
async def list_cidr_locations(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await COLLECTIONS.get(tx, ctx.account, REGION, params["CollectionId"])
    names, token = _make_page(params, sorted(found.locations))
    return {"CidrLocations": [{"LocationName": name} for name in names], "NextToken": token}


@service.operation("ListCidrBlocks")
async def list_cidr_blocks(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await COLLECTIONS.get(tx, ctx.account, REGION, params["CollectionId"])
    wanted = params.get("LocationName")
    if wanted is not None and wanted not in found.locations:
        raise cidr_collections.NoSuchCidrLocation(wanted)
    every = [
        f"{location} {block}"
        for location, blocks in sorted(found.locations.items())
        if wanted in (None, location)
        for block in blocks
    ]
    page, token = _make_page(params, every)
    split = [each.rpartition(" ") for each in page]
    return {"CidrBlocks": [{"CidrBlock": block, "LocationName": name} for name, _, block in split], "NextToken": token}


def _make_page(params: Params, items: list[str]) -> tuple[list[str], str | None]:
    """Return a page of texts that are in order, and the next page's token. Raises InvalidInput."""
    limit = pages.read_limit(params, member="MaxResults")
    after = page_tokens.parse_name_token(params.get("NextToken"), errors.InvalidInput("Invalid NextToken."))
    rest = [each for each in items if each > after] if after else items
    page = rest[:limit]
    return page, page_tokens.make_page_token(page[-1].encode()) if len(rest) > limit else None
