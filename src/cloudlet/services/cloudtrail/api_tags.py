"""Operations on the tags of trails."""

from __future__ import annotations

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction, tags
from cloudlet.services.cloudtrail import trail
from cloudlet.services.cloudtrail.block import service

_MOST_LISTED = 20


async def _tagged(ctx: Context, tx: Transaction, arn: str) -> trail.Trail:
    """Return the trail of an ARN. Raises AwsError."""
    if any(f":{kind}/" in arn for kind in ("eventdatastore", "channel", "dashboard")):
        raise AwsError("ResourceTypeNotSupportedException", f"Cloudlet has no such resources: {arn}")
    if not arn.startswith("arn:"):
        raise AwsError("CloudTrailARNInvalidException", f"Invalid trail ARN: {arn}")
    try:
        return await trail.find(ctx, tx, arn)
    except AwsError as error:
        if error.code == "TrailNotFoundException":
            raise AwsError("ResourceNotFoundException", f"Resource not found: {arn}") from None
        raise


@service.operation("AddTags")
async def add_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _tagged(ctx, tx, params["ResourceId"])
    merged = trail.with_tags(found.tags, params["TagsList"])
    trail.save(tx, msgspec.structs.replace(found, tags=merged))
    return {}


@service.operation("RemoveTags")
async def remove_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _tagged(ctx, tx, params["ResourceId"])
    kept = tags.without(found.tags, (tag["Key"] for tag in params["TagsList"]))
    trail.save(tx, msgspec.structs.replace(found, tags=kept))
    return {}


@service.operation("ListTags")
async def list_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("NextToken"):
        raise AwsError("InvalidTokenException", "The token is not valid.")
    arns = params["ResourceIdList"]
    if len(arns) > _MOST_LISTED:
        raise AwsError("InvalidParameterException", "The tags of 20 resources at most are listed at once.", status=400)
    found = [await _tagged(ctx, tx, arn) for arn in arns]
    return {
        "ResourceTagList": [
            {"ResourceId": arn, "TagsList": tags.shown(each.tags)} for arn, each in zip(arns, found, strict=True)
        ]
    }
