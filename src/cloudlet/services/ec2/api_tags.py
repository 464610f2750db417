"""The operations on tags."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.enforcement import check_resource
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.ec2.filters import parse_filters
from cloudlet.services.ec2.operations import declare, read_page
from cloudlet.services.ec2.registry import KINDS, get_kind
from cloudlet.services.ec2.resource import Kind
from cloudlet.services.ec2.tagging import merge

_MAX_RESOURCES: Final = 1000


async def _find_resources(ctx: Context, tx: Transaction, params: Params, action: str) -> list[tuple[Kind[Any], Any]]:
    """Return the resources of a request, which the caller may tag. Raises AwsError."""
    names = list(dict.fromkeys(params["Resources"]))
    if len(names) > _MAX_RESOURCES:
        raise AwsError("InvalidParameterValue", "The number of resources exceeds the limit of 1000.")
    for name in names:
        kind = KINDS.get(name.rpartition("-")[0])
        known = None if kind is None else await kind.find(ctx, tx, name)
        place = f"arn:{partition_of(ctx.region)}:ec2:{ctx.region}:{ctx.account}"
        arn = f"{place}:*/{name}" if kind is None else f"{place}:{kind.resource_type}/{name}"
        check_resource(ctx, "ec2", action, arn, {} if known is None else known.tags)
    return [(kind := get_kind(name), await kind.get(ctx, tx, name)) for name in names]


@declare("CreateTags")
async def create_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    for kind, record in await _find_resources(ctx, tx, params, "ec2:CreateTags"):
        record.tags = merge(record.tags, params["Tags"])
        kind.save(tx, record)
    return None


@declare("DeleteTags")
async def delete_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    for kind, record in await _find_resources(ctx, tx, params, "ec2:DeleteTags"):
        # Without tags, all go; one without a value goes whatever its value is.
        if "Tags" not in params:
            record.tags = {}
        for each in params.get("Tags", ()):
            key = each.get("Key", "")
            if key in record.tags and each.get("Value", record.tags[key]) == record.tags[key]:
                del record.tags[key]
        kind.save(tx, record)
    return None


@declare("DescribeTags")
async def describe_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    names = {"key": "", "resource-id": "", "resource-type": "", "value": ""}
    matches = parse_filters(params.get("Filters"), names, tags=None)
    found = [
        shown
        for kind in KINDS.values()
        for record in await kind.list_all(ctx, tx)
        for key, value in record.tags.items()
        if matches(
            shown := {
                "ResourceId": record.name,
                "ResourceType": kind.resource_type,
                "Key": key,
                "Value": value,
            }
        )
    ]
    found.sort(key=lambda each: (each["ResourceId"], each["Key"]))
    page, token = read_page(found, params)
    return {"Tags": page, "NextToken": token}
