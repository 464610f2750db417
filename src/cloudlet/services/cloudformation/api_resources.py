"""The operations that look at a stack's resources."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.cloudformation import errors, rendering, stacks
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.drift import drift_record
from cloudlet.services.cloudformation.drift.drift_record import ResourceDrift
from cloudlet.services.cloudformation.stack_record import Resource, Stack

_PAGE: Final = 100
_UPDATED: Final = "LastUpdatedTimestamp"


def _is_shown(resource: Resource) -> bool:
    return bool(resource.status)


async def _list_drifts(ctx: Context, tx: Transaction, stack: Stack) -> dict[str, ResourceDrift]:
    if not stack.drift_checked:
        return {}
    return await drift_record.list_drifts(tx, ctx.block.cloud.vault, stack, stacks.MAX_ROWS)


def _make_quoted_not_found(name: str) -> AwsError:
    return errors.make_validation_error(f"Stack '{name}' does not exist")


@service.operation("DescribeStackResource")
async def describe_stack_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    stack = await stacks.get(ctx, tx, params["StackName"], _make_quoted_not_found)
    name = params["LogicalResourceId"]
    found = await stacks.find_resource(tx, ctx.block.cloud.vault, stack, name)
    if found is None or not _is_shown(found):
        raise errors.make_validation_error(f"Resource {name} does not exist for stack {stack.name}")
    drifts = await _list_drifts(ctx, tx, stack)
    shown = rendering.render_resource(stack, found, drifts.get(name), time=_UPDATED)
    if found.metadata:
        shown["Metadata"] = found.metadata
    return {"StackResourceDetail": shown}


@service.operation("DescribeStackResources")
async def describe_stack_resources(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, wanted = params.get("StackName"), params.get("LogicalResourceId")
    if not name:
        if not params.get("PhysicalResourceId"):
            raise errors.make_validation_error("Either StackName or PhysicalResourceId must be specified")
        return await _describe_by_physical_id(ctx, tx, params["PhysicalResourceId"], wanted)
    if params.get("PhysicalResourceId"):
        raise errors.make_validation_error("StackName and PhysicalResourceId cannot be specified together")
    stack = await stacks.get(ctx, tx, name, errors.make_id_not_found)
    found = await stacks.list_resources(tx, ctx.block.cloud.vault, stack)
    drifts = await _list_drifts(ctx, tx, stack)
    shown = [
        rendering.render_resource(stack, one, drifts.get(one.name), time="Timestamp")
        for one in found.values()
        if _is_shown(one) and wanted in (None, one.name)
    ]
    if wanted is not None and not shown:
        raise errors.make_validation_error(f"Resource {wanted} does not exist for stack {stack.name}")
    return {"StackResources": shown[:_PAGE]}


async def _describe_by_physical_id(ctx: Context, tx: Transaction, physical_id: str, wanted: str | None) -> Result:
    space = stacks.get_space(ctx.account, ctx.region)
    for _, raw in await tx.range(space.begin, space.end, limit=stacks.MAX_ROWS):
        stack = stacks.decode_stack(raw)
        found = await stacks.list_resources(tx, ctx.block.cloud.vault, stack)
        if any(one.physical_id == physical_id for one in found.values()):
            drifts = await _list_drifts(ctx, tx, stack)
            shown = [
                rendering.render_resource(stack, one, drifts.get(one.name), time="Timestamp")
                for one in found.values()
                if wanted in (None, one.name)
            ]
            return {"StackResources": shown[:_PAGE]}
    raise errors.make_validation_error(f"Stack for {physical_id} does not exist")


@service.operation("ListStackResources")
async def list_stack_resources(ctx: Context, tx: Transaction, params: Params) -> Result:
    stack = await stacks.get(ctx, tx, params["StackName"], errors.make_id_not_found)
    drifts = await _list_drifts(ctx, tx, stack)

    def select(raw: bytes) -> dict[str, Any] | None:
        found = stacks.decode_resource(ctx.block.cloud.vault, stack, raw)
        if not _is_shown(found):
            return None
        return rendering.render_resource(stack, found, drifts.get(found.name), time=_UPDATED, has_stack=False)

    space, token = stacks.get_resource_space(stack), params.get("NextToken")
    shown, following = await listing.list_page(tx, space, token, _PAGE, select, errors.make_wrong_token())
    return {"StackResourceSummaries": shown, "NextToken": following}
