"""The operations that list parameters, and the versions of one."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing, page_tokens
from cloudlet.services.ssm import access, encryption, filters, names, parameters, public_parameters
from cloudlet.services.ssm.block import service
from cloudlet.services.ssm.errors import InvalidNextToken, ParameterNotFound, ValidationError
from cloudlet.services.ssm.names import Levels, get_levels
from cloudlet.services.ssm.parameter_record import Parameter, Version, decode_version

_MAX_VALUES: Final = 10
_MAX_ROWS: Final = 50


@service.direct("GetParametersByPath")
async def get_parameters_by_path(ctx: Context, params: Params) -> Result:
    """Get a page of the parameters below a path, in the order of their levels."""
    levels = names.parse_path(params["Path"])
    is_recursive = bool(params.get("Recursive"))
    is_public = public_parameters.is_public(levels)
    access.authorize_path(ctx, "/".join(levels), is_recursive=is_recursive, is_public=is_public)
    if is_public:
        return await _list_public(ctx, levels, params, is_recursive=is_recursive)

    async def body(tx: Transaction) -> tuple[list[tuple[Parameter, Version]], str | None]:
        return await _list_below(ctx, tx, levels, params, is_recursive=is_recursive)

    found, token = await ctx.transact(body)
    decrypts = bool(params.get("WithDecryption"))
    shown = [
        parameters.to_api(
            parameter,
            version,
            await encryption.read(ctx, parameters.get_arn(parameter), version, decrypts=decrypts),
        )
        for parameter, version in found
    ]
    return {"Parameters": shown, "NextToken": token}


async def _list_below(
    ctx: Context, tx: Transaction, levels: Levels, params: Params, *, is_recursive: bool
) -> tuple[list[tuple[Parameter, Version]], str | None]:
    """Return a page of the parameters below a path, with their latest or labelled versions."""
    given = params.get("ParameterFilters") or ()
    is_wanted = filters.parse_path_filters(given)

    def select(raw: bytes) -> Parameter | None:
        found = parameters.decode(raw)
        depth = len(get_levels(found.name)) - len(levels)
        is_below = depth == 1 or (depth > 1 and is_recursive)
        return found if is_below and is_wanted(found) else None

    space = parameters.get_path_space(ctx.account, ctx.region, levels)
    limit = params.get("MaxResults") or _MAX_VALUES
    found, token = await listing.list_page(tx, space, params.get("NextToken"), limit, select, InvalidNextToken())
    labels = filters.get_labels(given)
    chosen = []
    for parameter in found:
        label = next((label for label in labels if label in parameter.labels), "")
        chosen.append((parameter, await parameters.select_version(tx, parameter, label)))
    return chosen, token


async def _list_public(ctx: Context, levels: Levels, params: Params, *, is_recursive: bool) -> Result:
    if params.get("ParameterFilters"):
        raise ValidationError("ParameterFilters are not supported for public parameters.")
    after = page_tokens.parse_name_token(params.get("NextToken"), InvalidNextToken())
    found = await public_parameters.list_below(ctx, levels, is_recursive=is_recursive)
    rest = [each for each in found if get_levels(each["Name"]) > get_levels(after)]
    limit = params.get("MaxResults") or _MAX_VALUES
    page = rest[:limit]
    token = page_tokens.make_page_token(page[-1]["Name"].encode()) if len(rest) > limit else None
    return {"Parameters": page, "NextToken": token}


@service.operation("DescribeParameters")
async def describe_parameters(ctx: Context, tx: Transaction, params: Params) -> Result:
    """List parameters without their values, in the order of their levels."""
    access.authorize_account(ctx, "DescribeParameters")
    if params.get("Filters") and params.get("ParameterFilters"):
        raise ValidationError("You can use either Filters or ParameterFilters in a single request.")
    if params.get("Filters"):
        is_wanted = filters.parse_older_filters(params["Filters"])
    else:
        is_wanted = filters.parse_list_filters(params.get("ParameterFilters") or ())
    if params.get("Shared"):
        # AWS lists those whose policy was promoted to a share of Resource Access Manager: there is none here.
        return {"Parameters": []}

    def select(raw: bytes) -> dict[str, Any] | None:
        found = parameters.decode(raw)
        if not is_wanted(found):
            return None
        return {**parameters.to_metadata(found, found.latest), "ARN": parameters.get_arn(found)}

    space = parameters.get_path_space(ctx.account, ctx.region, ())
    limit = params.get("MaxResults") or _MAX_ROWS
    found, token = await listing.list_page(tx, space, params.get("NextToken"), limit, select, InvalidNextToken())
    return {"Parameters": found, "NextToken": token}


@service.direct("GetParameterHistory")
async def get_parameter_history(ctx: Context, params: Params) -> Result:
    """List the versions of a parameter, the oldest first."""
    reference = names.parse_reference(ctx, params["Name"])
    if reference.selector:
        raise ValidationError("A history is of a parameter: its name has no version and no label.")

    async def body(tx: Transaction) -> tuple[Parameter, list[Version], str | None]:
        found = await parameters.find(tx, reference.account, reference.region, reference.name)
        access.authorize(ctx, "GetParameterHistory", reference, found)
        if found is None:
            raise ParameterNotFound(f"Parameter {reference.name} not found.")
        space = parameters.get_version_space(found)
        limit = params.get("MaxResults") or _MAX_ROWS
        rows, token = await listing.list_rows(tx, space, params.get("NextToken"), limit, InvalidNextToken())
        return found, [decode_version(raw) for _, raw in rows], token

    found, versions, token = await ctx.transact(body)
    decrypts = bool(params.get("WithDecryption"))
    shown = [
        {
            **parameters.to_metadata(found, version),
            "Value": await encryption.read(ctx, reference.arn, version, decrypts=decrypts),
            "Labels": [label for label, number in found.labels.items() if number == version.number],
        }
        for version in versions
    ]
    return {"Parameters": shown, "NextToken": token}
