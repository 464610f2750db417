"""Operations on the tags of trails and event data stores."""

from __future__ import annotations

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.cloudtrail import trail
from cloudlet.services.cloudtrail.block import service
from cloudlet.services.cloudtrail.lake import stores
from cloudlet.services.cloudtrail.lake.stores import EventDataStore
from cloudlet.services.cloudtrail.tagging import with_tags
from cloudlet.services.cloudtrail.trail import Trail

_MOST_LISTED = 20
_NOT_FOUND = ("EventDataStoreNotFoundException", "TrailNotFoundException")


async def _tagged(ctx: Context, tx: Transaction, arn: str) -> Trail | EventDataStore:
    """Return the resource of an ARN. Raises AwsError."""
    if any(f":{kind}/" in arn for kind in ("channel", "dashboard")):
        raise AwsError("ResourceTypeNotSupportedException", f"Cloudlet has no such resources: {arn}")
    if not arn.startswith("arn:"):
        raise AwsError("CloudTrailARNInvalidException", f"Invalid trail ARN: {arn}")
    try:
        if ":eventdatastore/" in arn:
            return await stores.find_active(ctx, tx, arn)
        return await trail.find(ctx, tx, arn)
    except AwsError as error:
        if error.code in _NOT_FOUND:
            raise AwsError("ResourceNotFoundException", f"Resource not found: {arn}") from None
        raise


def _save(tx: Transaction, of: Trail | EventDataStore, wanted: dict[str, str]) -> None:
    if isinstance(of, Trail):
        trail.save(tx, msgspec.structs.replace(of, tags=wanted))
    else:
        stores.save(tx, msgspec.structs.replace(of, tags=wanted))


@service.operation("AddTags")
async def add_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _tagged(ctx, tx, params["ResourceId"])
    _save(tx, found, with_tags(found.tags, params["TagsList"]))
    return {}


@service.operation("RemoveTags")
async def remove_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _tagged(ctx, tx, params["ResourceId"])
    _save(tx, found, tags.remove(found.tags, (tag["Key"] for tag in params["TagsList"])))
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
            {"ResourceId": arn, "TagsList": tags.to_list(each.tags)} for arn, each in zip(arns, found, strict=True)
        ]
    }
