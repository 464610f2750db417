"""The operations on the tags of hosted zones and health checks."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.route53 import record_sets
from cloudlet.services.route53.block import REGION, service
from cloudlet.services.route53.errors import InvalidInput
from cloudlet.services.route53.health_checks import HEALTH_CHECKS
from cloudlet.services.route53.zones import ZONES

_MAX_RESOURCES = 10


async def _get_arn(ctx: Context, tx: Transaction, kind: str, given: str) -> str:
    """Return the ARN of a resource of the caller's. Raises AwsError where it is not there."""
    identifier = record_sets.to_id(given)
    if kind == "hostedzone":
        await ZONES.get(tx, ctx.account, REGION, identifier)
    elif kind == "healthcheck":
        await HEALTH_CHECKS.get(tx, ctx.account, REGION, identifier)
    else:
        raise InvalidInput(f"Cloudlet has no resources of type {kind}. See docs/services/route53.md.")
    return f"arn:aws:route53:::{kind}/{identifier}"


@service.operation("ChangeTagsForResource")
async def change_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    added, removed = params.get("AddTags"), params.get("RemoveTagKeys")
    if not added and not removed:
        raise InvalidInput("You must specify at least one of AddTags and RemoveTagKeys.")
    arn = await _get_arn(ctx, tx, params["ResourceType"], params["ResourceId"])
    kept = tags.remove(await tags.load(tx, arn), removed or ())
    tags.save(tx, arn, tags.merge(kept, added, InvalidInput))
    return {}


async def _describe(ctx: Context, tx: Transaction, kind: str, given: str) -> dict[str, Any]:
    arn = await _get_arn(ctx, tx, kind, given)
    known = tags.to_list(await tags.load(tx, arn))
    return {"ResourceType": kind, "ResourceId": record_sets.to_id(given), "Tags": known}


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"ResourceTagSet": await _describe(ctx, tx, params["ResourceType"], params["ResourceId"])}


@service.operation("ListTagsForResources")
async def list_tags_for_resources(ctx: Context, tx: Transaction, params: Params) -> Result:
    given = params["ResourceIds"]
    if len(given) > _MAX_RESOURCES:
        raise InvalidInput(f"A request lists the tags of at most {_MAX_RESOURCES} resources.")
    return {"ResourceTagSets": [await _describe(ctx, tx, params["ResourceType"], each) for each in given]}
