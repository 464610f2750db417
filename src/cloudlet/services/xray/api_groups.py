"""Operations on groups, and on the tags of groups and sampling rules."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.enforcement import check_resource
from cloudlet.core.aws import tags
from cloudlet.services.xray import filter_grammar, groups, paging, sampling_rules, tagging
from cloudlet.services.xray.block import service
from cloudlet.services.xray.errors import invalid, not_found
from cloudlet.services.xray.groups import Group


@service.operation("CreateGroup")
async def create_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    _refuse_insights(params)
    group = groups.new(ctx, params["GroupName"], params.get("FilterExpression") or "")
    await groups.add(ctx, tx, group)
    await tagging.add(tx, group.arn, params.get("Tags") or [])
    return {"Group": group.shown()}


@service.operation("UpdateGroup")
async def update_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    _refuse_insights(params)
    group = await _find(ctx, tx, params, "xray:UpdateGroup")
    expression = params.get("FilterExpression")
    if expression is not None:
        if group.name == groups.DEFAULT:
            raise invalid("The filter expression of the default group cannot be changed")
        filter_grammar.parse(expression)
        group = msgspec.structs.replace(group, filter=expression)
        groups.save(ctx, tx, group)
    return {"Group": group.shown()}


def _refuse_insights(params: Params) -> None:
    wanted: dict[str, Any] = params.get("InsightsConfiguration") or {}
    if wanted.get("InsightsEnabled") or wanted.get("NotificationsEnabled"):
        raise invalid("Cloudlet has no X-Ray insights: they cannot be enabled.")


@service.operation("GetGroup")
async def get_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"Group": (await _find(ctx, tx, params, "xray:GetGroup")).shown()}


@service.operation("GetGroups")
async def get_groups(ctx: Context, tx: Transaction, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    return {"Groups": [group.shown() for group in await groups.listed(ctx, tx)]}


@service.operation("DeleteGroup")
async def delete_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await _find(ctx, tx, params, "xray:DeleteGroup")
    groups.remove(ctx, tx, group)
    tags.save(tx, group.arn, {})
    return {}


async def _find(ctx: Context, tx: Transaction, params: Params, action: str) -> Group:
    """Return the group that a request names, which the caller may do this to. Raises AwsError.

    Its ARN has an id, which a name does not tell.
    """
    name, arn = params.get("GroupName"), params.get("GroupARN")
    found = await groups.get(ctx, tx, name, arn)
    if ctx.strict:
        about = arn or groups.make_arn(ctx, name or "*", "*") if found is None else found.arn
        check_resource(ctx, "xray", action, about, await tags.load(tx, about))
    if found is None:
        raise invalid("Group not found")
    return found


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    await tagging.add(tx, await _known(ctx, tx, params["ResourceARN"]), params["Tags"])
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = await _known(ctx, tx, params["ResourceARN"])
    tags.save(tx, arn, tags.remove(await tags.load(tx, arn), params["TagKeys"]))
    return {}


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    return {"Tags": tags.to_list(await tags.load(tx, await _known(ctx, tx, params["ResourceARN"])))}


async def _known(ctx: Context, tx: Transaction, arn: str) -> str:
    """Return the ARN of a resource that is there. Raises AwsError."""
    try:
        if ":sampling-rule/" in arn:
            await sampling_rules.find(ctx, tx, None, arn)
        else:
            await groups.find(ctx, tx, None, arn)
    except AwsError:
        raise not_found(arn) from None
    return arn
