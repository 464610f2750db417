"""The operations on tags, which all resources have."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Arn, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens, tags
from cloudlet.services.appmesh import errors, limits, storing
from cloudlet.services.appmesh.block import service
from cloudlet.services.appmesh.errors import BadRequest
from cloudlet.services.appmesh.kinds import KINDS
from cloudlet.services.appmesh.resource_record import Place

_TITLES: Final = {kind.member: kind.title for kind in KINDS.values()}


def parse_path(account: str, region: str, path: str) -> Place | None:
    """Return the key of a resource by its path; None for what is no path.

    A path is `mesh/M/virtualNode/N`.
    """
    match path.split("/"):
        case ["mesh", mesh]:
            return Place(account, region, "", "Mesh", "", mesh)
        case ["mesh", mesh, member, name] if member in _TITLES:
            return Place(account, region, mesh, _TITLES[member], "", name)
        case ["mesh", mesh, _, owner, member, name] if member in _TITLES:
            return Place(account, region, mesh, _TITLES[member], owner, name)
    return None


async def _check_resource(ctx: Context, tx: Transaction, text: str) -> None:
    """Raise an error for the ARN of nothing of the caller's."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise BadRequest(f"The ARN {text} is not valid.") from None
    place = parse_path(ctx.account, ctx.region, arn.resource)
    if place is None or (arn.service, arn.account, arn.region) != ("appmesh", ctx.account, ctx.region):
        raise errors.NotFound(f"{text} is not present", ctx.account)
    await storing.get(tx, place)


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["resourceArn"]
    await _check_resource(ctx, tx, arn)
    given = {tag["key"]: tag["value"] for tag in params["tags"]}
    tags.save(tx, arn, tags.merge(await tags.load(tx, arn), given, BadRequest, errors.TooManyTags))
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["resourceArn"]
    await _check_resource(ctx, tx, arn)
    tags.save(tx, arn, tags.remove(await tags.load(tx, arn), params["tagKeys"]))
    return {}


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["resourceArn"]
    await _check_resource(ctx, tx, arn)
    after = page_tokens.parse_name_token(params.get("nextToken"), BadRequest("Invalid nextToken."))
    known = sorted((key, value) for key, value in (await tags.load(tx, arn)).items() if key > after or not after)
    limit = params.get("limit") or limits.MAX_PAGE_ITEMS
    page = known[:limit]
    token = page_tokens.make_page_token(page[-1][0].encode()) if len(known) > limit else None
    return {"tags": [{"key": key, "value": value} for key, value in page], "nextToken": token}
