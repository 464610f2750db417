"""The operations that tell what has happened to stacks."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.cloudformation import change_sets, errors, rendering, stacks
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.stack_record import Event, Stack

_PAGE: Final = 100


@service.operation("DescribeStackEvents")
async def describe_stack_events(ctx: Context, tx: Transaction, params: Params) -> Result:
    stack = await stacks.get(ctx, tx, params["StackName"])
    space, token = stacks.get_event_space(stack), params.get("NextToken")

    def select(raw: bytes) -> dict[str, Any] | None:
        event = stacks.decode_event(raw)
        return None if event.is_hidden else rendering.render_event(stack, event)

    shown, following = await listing.list_page(tx, space, token, _PAGE, select, errors.make_wrong_token())
    return {"StackEvents": shown, "NextToken": following}


@service.operation("DescribeEvents")
async def describe_events(ctx: Context, tx: Transaction, params: Params) -> Result:
    stack, operation = await _find_wanted(ctx, tx, params)
    has_failures_only = bool((params.get("Filters") or {}).get("FailedEvents"))

    def select(raw: bytes) -> Event | None:
        event = stacks.decode_event(raw)
        if operation not in (None, event.operation) or (has_failures_only and not rendering.is_failed(event)):
            return None
        return event

    space, token = stacks.get_event_space(stack), params.get("NextToken")
    found, following = await listing.list_page(tx, space, token, _PAGE, select, errors.make_wrong_token())
    kinds: dict[str, str] = {}
    for name in {event.operation for event in found}:
        known = await stacks.find_operation(tx, ctx.account, ctx.region, name)
        kinds[name] = "" if known is None else known.kind
    shown = [rendering.render_operation_event(stack, event, kinds[event.operation]) for event in found]
    return {"OperationEvents": shown, "NextToken": following}


async def _find_wanted(ctx: Context, tx: Transaction, params: Params) -> tuple[Stack, str | None]:
    """Return the stack that a request asks about, and the operation; None for all. Raises AwsError."""
    stack_name, change_set, operation = params.get("StackName"), params.get("ChangeSetName"), params.get("OperationId")
    if change_set:
        made = await change_sets.get(ctx, tx, change_set, stack_name)
        return await stacks.get(ctx, tx, made.stack_arn), made.creation
    if operation:
        known = await stacks.find_operation(tx, ctx.account, ctx.region, operation)
        owner = None if known is None else await stacks.find(tx, ctx.account, ctx.region, known.stack)
        if owner is None or (stack_name and stack_name not in (owner.name, owner.arn)):
            raise errors.make_validation_error("Operation ID does not exist")
        return owner, operation
    if not stack_name:
        raise errors.make_validation_error("One of ChangeSetName, OperationId or StackName must be specified")
    return await stacks.get(ctx, tx, stack_name), None
