"""The operations on tags, which parameters have."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.aws import tags
from cloudlet.services.ssm import access, names, parameters
from cloudlet.services.ssm.block import service
from cloudlet.services.ssm.errors import ValidationError
from cloudlet.services.ssm.parameter_record import Parameter
from cloudlet.services.ssm.putting import TooManyTags


@service.operation("AddTagsToResource")
async def add_tags_to_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get(ctx, tx, "AddTagsToResource", params, access.make_tag_keys(params["Tags"]))
    changed = tags.merge(found.tags, params["Tags"], ValidationError, TooManyTags)
    parameters.save(tx, replace(found, tags=changed))
    return {}


@service.operation("RemoveTagsFromResource")
async def remove_tags_from_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    keys: Keys = {"aws:TagKeys": params["TagKeys"]}
    found = await _get(ctx, tx, "RemoveTagsFromResource", params, keys)
    parameters.save(tx, replace(found, tags=tags.remove(found.tags, params["TagKeys"])))
    return {}


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get(ctx, tx, "ListTagsForResource", params, {})
    return {"TagList": tags.to_list(found.tags)}


async def _get(ctx: Context, tx: Transaction, action: str, params: Params, keys: Keys) -> Parameter:
    """Return the parameter that a request is about. Raises AwsError."""
    if params["ResourceType"] != "Parameter":
        message = f"Cloudlet has no resources of the type {params['ResourceType']}: it has parameters only."
        raise AwsError("InvalidResourceType", message)
    name = params["ResourceId"]
    try:
        reference = names.parse_own_name(ctx, name)
    except ValidationError:
        raise _InvalidResourceId(name) from None
    found = await parameters.find(tx, ctx.account, ctx.region, reference.name)
    access.authorize(ctx, action, reference, found, keys)
    if found is None:
        raise _InvalidResourceId(name)
    return found


class _InvalidResourceId(AwsError):
    """A name that no parameter has."""

    def __init__(self, name: str) -> None:
        message = f'The resource ID "{name}" is not valid. Verify that you entered the correct ID and try again.'
        super().__init__("InvalidResourceId", message)
