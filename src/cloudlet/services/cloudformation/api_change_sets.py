"""The operations on change sets."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import api_stacks, change_sets, errors, rollback_configuration, stacks, states
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.change_sets import ChangeSet
from cloudlet.services.cloudformation.making_change_sets import PreparedChangeSet, prepare_change_sets
from cloudlet.services.cloudformation.operations import planning, starting
from cloudlet.services.cloudformation.stack_record import Stack, Validation
from cloudlet.services.cloudformation.templates import parameters

_NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")
_PAGE: Final = 100


@service.direct("CreateChangeSet")
async def create_change_set(ctx: Context, params: Params) -> Result:
    name, kind = params["ChangeSetName"], params.get("ChangeSetType") or "UPDATE"
    if not _NAME.fullmatch(name) or len(name) > api_stacks.MAX_NAME_CHARACTERS:
        raise errors.make_validation_error(
            f"ChangeSetName {name} must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    _check_supported(params)
    if params.get("OnStackFailure") == "DELETE" and kind != "CREATE":
        raise errors.make_validation_error("OnStackFailure DELETE is only valid when ChangeSetType is CREATE")
    prepared, *nested = await prepare_change_sets(ctx, params)
    made = prepared.made

    async def create(tx: Transaction) -> Result:
        now = await _keep_stack(ctx, tx, prepared)
        existing = await change_sets.find(tx, now, name)
        if existing is not None and made.token and existing.token == made.token:
            return {"Id": existing.arn, "StackId": now.arn}
        if existing is not None:
            raise _make_existing(name)
        _keep(ctx, tx, now, prepared)
        for each in nested:
            _keep(ctx, tx, await _keep_stack(ctx, tx, each), each)
        return {"Id": made.arn, "StackId": now.arn}

    return await ctx.transact(create)


async def _keep_stack(ctx: Context, tx: Transaction, prepared: PreparedChangeSet) -> Stack:
    """Return the stack of a change set, which is made where there is none. Raises AwsError."""
    stack = prepared.stack
    found = await stacks.find(tx, stack.account, stack.region, stack.id)
    if found is not None:
        return found
    if await stacks.find_by_name(tx, ctx.account, ctx.region, stack.name) is not None:
        raise errors.make_already_exists(stack.name)
    described = replace(stack, description=prepared.description, change_set=prepared.made.arn)
    return stacks.set_status(tx, described, states.EMPTY, ctx.now(), "User Initiated")


def _keep(ctx: Context, tx: Transaction, stack: Stack, prepared: PreparedChangeSet) -> None:
    stacks.save_target(tx, ctx.block.cloud.vault, stack, prepared.target)
    change_sets.save(tx, prepared.made)
    _tell(tx, stack, prepared.made, prepared.found, ctx.now())


def _tell(tx: Transaction, stack: Stack, made: ChangeSet, found: list[Validation], now: float) -> None:
    """Write the events of the operation that has made a change set."""
    stacks.save_operation(tx, stack, made.creation, "CREATE_CHANGESET")
    begun = replace(
        stacks.make_stack_event(stack, "CREATE_IN_PROGRESS", made.created),
        token=made.token,
        operation=made.creation,
        started=made.created,
        is_hidden=True,
    )
    stacks.add_event(tx, stack, begun)
    ended = replace(begun, time=now)
    stacks.add_validations(tx, stack, ended, found)
    status = "CREATE_FAILED" if made.status == "FAILED" else "CREATE_COMPLETE"
    stacks.add_event(tx, stack, replace(ended, id=uuid4(), status=status, reason=made.reason))


def _make_existing(name: str) -> AwsError:
    return AwsError(
        "AlreadyExistsException",
        f"ChangeSet {name} cannot be created due to a mismatch with existing attribute Template",
    )


def _check_supported(params: Params) -> None:
    api_stacks.check_supported(params)
    if params.get("ResourcesToImport") and params.get("ChangeSetType") != "IMPORT":
        raise errors.make_validation_error("ResourcesToImport can only be specified for a change set of type IMPORT.")


@service.operation("DescribeChangeSet")
async def describe_change_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await change_sets.get(ctx, tx, params["ChangeSetName"], params.get("StackName"))
    stack = await stacks.get(ctx, tx, found.stack_arn)
    target = await stacks.find_target(tx, ctx.block.cloud.vault, stack, found.target)
    has_values = bool(params.get("IncludePropertyValues"))
    token = params.get("NextToken") or "0"
    if not token.isdigit():
        raise errors.make_wrong_token()
    first = int(token)
    shown: dict[str, Any] = {
        **_summarize(found),
        "Changes": [planning.to_api(one, has_values=has_values) for one in found.changes[first : first + _PAGE]],
        "NextToken": str(first + _PAGE) if len(found.changes) > first + _PAGE else None,
        "RollbackConfiguration": rollback_configuration.to_api(found.rollback),
        "DeploymentMode": None,
    }
    if found.on_failure:
        shown["OnStackFailure"] = found.on_failure
    if target is not None:
        shown |= {
            "Parameters": [parameters.to_api(name, value) for name, value in target.values.items()],
            "Capabilities": target.capabilities,
            "NotificationARNs": target.notification_arns,
            "Tags": tags.to_list(target.tags),
        }
    return {key: value for key, value in shown.items() if value is not None}


def _summarize(found: ChangeSet) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "ChangeSetName": found.name,
        "ChangeSetId": found.arn,
        "StackId": found.stack_arn,
        "StackName": found.stack_name,
        "CreationTime": found.created,
        "ExecutionStatus": found.execution,
        "Status": found.status,
        "IncludeNestedStacks": found.has_nested_stacks,
        "ImportExistingResources": found.imports_existing,
    }
    optional = {
        "StatusReason": found.reason,
        "Description": found.description,
        "ParentChangeSetId": found.parent,
        "RootChangeSetId": found.root,
    }
    return shown | {key: value for key, value in optional.items() if value}


@service.operation("ListChangeSets")
async def list_change_sets(ctx: Context, tx: Transaction, params: Params) -> Result:
    stack = await stacks.get_live(ctx, tx, params["StackName"])
    space, token = change_sets.get_space(stack), params.get("NextToken")
    rows, following = await listing.list_rows(tx, space, token, _PAGE, errors.make_wrong_token())
    return {"Summaries": [_summarize(change_sets.decode(raw)) for _, raw in rows], "NextToken": following}


@service.operation("DeleteChangeSet")
async def delete_change_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, stack_name = params["ChangeSetName"], params.get("StackName")
    if not name.startswith("arn:") and stack_name:
        stack = await stacks.get_live(ctx, tx, stack_name)
        if await change_sets.find(tx, stack, name) is None:
            return {}
    found = await change_sets.get(ctx, tx, name, stack_name)
    root = await change_sets.find_by_arn(tx, ctx.account, ctx.region, found.root) if found.root else None
    await _remove(ctx, tx, root or found)
    return {}


async def _remove(ctx: Context, tx: Transaction, found: ChangeSet) -> None:
    """Delete a change set, and all of the nested stacks below it."""
    stack = await stacks.get(ctx, tx, found.stack_arn)
    await change_sets.remove_nested(tx, found, ctx.now())
    change_sets.remove(tx, found)
    stacks.remove_target(tx, stack, found.target)


@service.operation("ExecuteChangeSet")
async def execute_change_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await change_sets.get(ctx, tx, params["ChangeSetName"], params.get("StackName"))
    stack = await stacks.get_live(ctx, tx, found.stack_arn)
    if starting.is_repeated(stack, params):
        return {}
    if found.root:
        raise errors.make_validation_error(
            f"ChangeSet [{found.arn}] is that of a nested stack. Execute its root, [{found.root}]."
        )
    if found.status != "CREATE_COMPLETE":
        raise _make_invalid(f"ChangeSet [{found.arn}] cannot be executed in its current status of [{found.status}]")
    is_obsolete = found.execution == "AVAILABLE" and found.operation != stack.operation.id
    execution = "OBSOLETE" if is_obsolete else found.execution
    if execution != "AVAILABLE":
        raise _make_invalid(
            f"ChangeSet [{found.arn}] cannot be executed in its current execution status of [{execution}]"
        )
    is_new = stack.status == states.EMPTY
    if not is_new:
        starting.check_updatable(stack)
    if found.on_failure and params.get("DisableRollback"):
        raise errors.make_validation_error("You can specify either DisableRollback or OnStackFailure, but not both.")
    operation = starting.make_operation(ctx, params, found.target, found.on_failure)
    operation = replace(operation, imports_existing=found.imports_existing, imported=found.imported)
    changed = replace(
        stack,
        role=found.role or stack.role,
        change_set=found.arn,
        updated=0.0 if is_new else ctx.now(),
        rollback=found.rollback,
    )
    if is_new:
        changed = replace(changed, on_failure=operation.on_failure)
    # Nested stacks are made and changed by those that they are resources of.
    await change_sets.remove_all_nested(tx, stack, ctx.now())
    await change_sets.remove_all(tx, stack, but=found.id)
    change_sets.save(tx, replace(found, execution="EXECUTE_COMPLETE"))
    target = await stacks.find_target(tx, ctx.block.cloud.vault, stack, found.target)
    status = "CREATE_IN_PROGRESS" if is_new else "UPDATE_IN_PROGRESS"
    starting.begin(ctx, tx, changed, operation, states.IMPORT if found.kind == "IMPORT" else status, target)
    return {}


def _make_invalid(message: str) -> AwsError:
    return AwsError("InvalidChangeSetStatus", message)
