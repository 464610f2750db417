"""The operations that look at the resource types that AWS publishes."""

from __future__ import annotations

import json
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.page_tokens import make_page_token, parse_name_token
from cloudlet.core.aws.resources.declaration import ResourceType
from cloudlet.core.aws.resources.reader import find_listing, find_reading
from cloudlet.core.aws.resources.registry import load_resource_types, load_schema
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.block import service

_PAGE: Final = 100


def _make_not_found(name: str) -> AwsError:
    return AwsError("TypeNotFoundException", f"The type '{name}' cannot be found.", status=404)


def _make_arn(ctx: Context, name: str) -> str:
    return f"arn:{partition_of(ctx.region)}:cloudformation:{ctx.region}::type/resource/{name.replace('::', '-')}"


def _get_provisioning(declared: ResourceType) -> str:
    """Return how resources of a type can be provisioned."""
    if not declared.can_create:
        return "NON_PROVISIONABLE"
    return "FULLY_MUTABLE" if declared.can_update else "IMMUTABLE"


def _list_handlers(declared: ResourceType) -> dict[str, Any]:
    """Return the handlers that a type has, as schemas name them."""
    there = {
        "create": declared.can_create,
        "read": find_reading(declared) is not None,
        "update": declared.can_update,
        "delete": declared.can_delete,
        "list": find_listing(declared) is not None,
    }
    return {name: {} for name, is_there in there.items() if is_there}


@service.operation("DescribeType")
async def describe_type(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("Arn"):
        name = params["Arn"].rpartition("/")[2].replace("-", "::")
    elif params.get("Type") and params.get("TypeName"):
        name = params["TypeName"]
    else:
        raise errors.make_validation_error("Either Arn, or TypeName and Type, must be specified.")
    declared = load_resource_types().get(name)
    is_other = params.get("Type") not in (None, "RESOURCE")
    # AWS's types have no versions and no publishers.
    if (
        declared is None
        or is_other
        or any(params.get(key) for key in ("VersionId", "PublicVersionNumber", "PublisherId"))
    ):
        raise _make_not_found(name)
    schema = {"typeName": name, **load_schema(name).raw, "handlers": _list_handlers(declared)}
    return {
        "Arn": _make_arn(ctx, name),
        "Type": "RESOURCE",
        "TypeName": name,
        "Description": f"Resource Type definition for {name}",
        "Schema": json.dumps(schema),
        "ProvisioningType": _get_provisioning(declared),
        "DeprecatedStatus": "LIVE",
        "Visibility": "PUBLIC",
    }


@service.operation("ListTypes")
async def list_types(ctx: Context, tx: Transaction, params: Params) -> Result:
    filters = params.get("Filters") or {}
    place = parse_name_token(params.get("NextToken"), errors.make_wrong_token())
    limit = params.get("MaxResults") or _PAGE
    found = [
        name
        for name, declared in sorted(load_resource_types().items())
        if name > place
        and name.startswith(filters.get("TypeNamePrefix") or "")
        and params.get("ProvisioningType") in (None, _get_provisioning(declared))
        and _is_asked_for(params, filters)
    ]
    shown = [{"Type": "RESOURCE", "TypeName": name, "TypeArn": _make_arn(ctx, name)} for name in found[:limit]]
    following = make_page_token(found[limit - 1].encode()) if len(found) > limit else None
    return {"TypeSummaries": shown, "NextToken": following}


def _is_asked_for(params: Params, filters: Params) -> bool:
    """Whether a request is about what AWS publishes.

    There are no private types, and none of third parties.
    """
    return (
        params.get("Visibility") == "PUBLIC"
        and params.get("Type") in (None, "RESOURCE")
        and params.get("DeprecatedStatus") in (None, "LIVE")
        and filters.get("Category") in (None, "AWS_TYPES")
        and not filters.get("PublisherId")
    )
