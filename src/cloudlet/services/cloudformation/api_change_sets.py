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
from cloudlet.services.cloudformation.operations import early_validation, planning, preparing, starting
from cloudlet.services.cloudformation.operations.importing import (
    check_unowned,
    find_imports,
    plan_imports,
    read_imports,
)
from cloudlet.services.cloudformation.stack_record import Resource, Stack, Target, Validation
from cloudlet.services.cloudformation.templates import parameters

_NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")
_NO_CHANGES: Final = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
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
    stack, previous, resources = await _find_stack(ctx, params, kind)
    target, compiled = await preparing.prepare(ctx, stack, params, previous, has_review=True)
    api_stacks.check_types(params, compiled)
    changes = [] if target.failure else api_stacks.list_changes(stack, compiled, previous, resources)
    imported: dict[str, dict[str, str]] = {}
    if kind == "IMPORT" and not target.failure:
        imported = read_imports(params, compiled)
        changes = plan_imports(imported, changes, compiled, previous)
        await check_unowned(ctx, stack, imported, compiled)
    elif params.get("ImportExistingResources"):
        changes = await find_imports(ctx, stack, compiled, changes)
    reason = target.failure
    if not reason and not api_stacks.has_changes(changes, target, compiled, stack, previous):
        reason = _NO_CHANGES
    found: list[Validation] = []
    if not reason:
        found = await early_validation.validate_operation(ctx, params, stack, compiled, changes)
        reason = early_validation.describe_failures(found)
    made = ChangeSet(
        ctx.account,
        ctx.region,
        stack.id,
        stack.name,
        name,
        uuid4(),
        kind,
        ctx.now(),
        target.id,
        "FAILED" if reason else "CREATE_COMPLETE",
        reason,
        "UNAVAILABLE" if reason else "AVAILABLE",
        params.get("Description") or "",
        changes,
        params.get("RoleARN") or "",
        params.get("ClientToken") or "",
        params.get("OnStackFailure") or "",
        stack.operation.id,
        bool(params.get("IncludeNestedStacks")),
        bool(params.get("ImportExistingResources")),
        imported,
        rollback_configuration.parse_configuration(params.get("RollbackConfiguration"), stack.rollback),
        uuid4(),
    )

    async def create(tx: Transaction) -> Result:
        now = await stacks.find(tx, stack.account, stack.region, stack.id)
        if now is None:
            if await stacks.find_by_name(tx, ctx.account, ctx.region, stack.name) is not None:
                raise errors.make_already_exists(stack.name)
            described = replace(stack, description=compiled.template.description, change_set=made.arn)
            now = stacks.set_status(tx, described, states.EMPTY, ctx.now(), "User Initiated")
        existing = await change_sets.find(tx, now, name)
        if existing is not None and made.token and existing.token == made.token:
            return {"Id": existing.arn, "StackId": now.arn}
        if existing is not None:
            raise _make_existing(name)
        stacks.save_target(tx, ctx.block.cloud.vault, now, target)
        change_sets.save(tx, made)
        _tell(tx, now, made, found, ctx.now())
        return {"Id": made.arn, "StackId": now.arn}

    return await ctx.transact(create)


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


async def _find_stack(ctx: Context, params: Params, kind: str) -> tuple[Stack, Target | None, dict[str, Resource]]:
    """Return the stack of a change set, its target and its resources. Raises AwsError."""
    name = params["StackName"]

    async def find(tx: Transaction) -> Stack | None:
        found = await stacks.find_by_name(tx, ctx.account, ctx.region, name)
        return None if found is None or found.status == states.DELETED else found

    stack = await ctx.transact(find)
    if stack is None:
        if kind == "UPDATE":
            raise errors.make_validation_error(f"Stack [{name}] does not exist")
        api_stacks.check_name(name)
        return api_stacks.make_stack(ctx, params, states.EMPTY), None, {}
    if kind == "IMPORT" and stack.status == states.EMPTY:
        return stack, None, {}
    if kind == "CREATE":
        if stack.status != states.EMPTY:
            raise errors.make_validation_error(
                f"Stack [{stack.name}] already exists and cannot be created again with the changeSet "
                f"[{params['ChangeSetName']}]."
            )
        return stack, None, {}
    if stack.status == states.EMPTY or states.is_in_progress(stack.status) or stack.status not in states.UPDATABLE:
        raise errors.make_wrong_state(stack.arn, stack.status, "updated")
    return await api_stacks.load_for_update(ctx, stack.arn)


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
    optional = {"StatusReason": found.reason, "Description": found.description}
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
    stack = await stacks.get(ctx, tx, found.stack_arn)
    change_sets.remove(tx, found)
    stacks.remove_target(tx, stack, found.target)
    return {}


@service.operation("ExecuteChangeSet")
async def execute_change_set(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await change_sets.get(ctx, tx, params["ChangeSetName"], params.get("StackName"))
    stack = await stacks.get_live(ctx, tx, found.stack_arn)
    if starting.is_repeated(stack, params):
        return {}
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
    await change_sets.remove_all(tx, stack, but=found.id)
    change_sets.save(tx, replace(found, execution="EXECUTE_COMPLETE"))
    target = await stacks.find_target(tx, ctx.block.cloud.vault, stack, found.target)
    status = "CREATE_IN_PROGRESS" if is_new else "UPDATE_IN_PROGRESS"
    starting.begin(ctx, tx, changed, operation, states.IMPORT if found.kind == "IMPORT" else status, target)
    return {}


def _make_invalid(message: str) -> AwsError:
    return AwsError("InvalidChangeSetStatus", message)
