"""The operations on tags, which keys alone have."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.kms import access, keys, paging, tagging
from cloudlet.services.kms.block import service

_PAGE_ROWS: Final = 50


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    conditions = tagging.list_request_keys(params["Tags"])
    key = await access.get_key(ctx, tx, params["KeyId"], "TagResource", conditions)
    keys.save(tx, replace(key, tags=tagging.merge(key.tags, params["Tags"])))
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    conditions = {"aws:TagKeys": params["TagKeys"]}
    key = await access.get_key(ctx, tx, params["KeyId"], "UntagResource", conditions)
    keys.save(tx, replace(key, tags=tags.remove(key.tags, params["TagKeys"])))
    return {}


@service.operation("ListResourceTags")
async def list_resource_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = await access.get_key(ctx, tx, params["KeyId"], "ListResourceTags")
    shown, following = paging.list_part(tagging.to_api(key.tags), params, _PAGE_ROWS)
    return {"Tags": shown, **following}
