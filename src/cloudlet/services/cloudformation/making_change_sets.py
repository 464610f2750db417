"""Preparation of change sets, and of those of nested stacks.

User guide, "Change sets for nested stacks".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.kernel.ids import token, uuid4
from cloudlet.services.cloudformation import api_stacks, errors, rollback_configuration, stacks, states
from cloudlet.services.cloudformation.change_sets import ChangeSet
from cloudlet.services.cloudformation.cloudformation import CAPABILITIES, list_parameters
from cloudlet.services.cloudformation.compiling import NESTED, CompiledTarget
from cloudlet.services.cloudformation.operations import early_validation, planning, preparing
from cloudlet.services.cloudformation.operations.importing import (
    check_unowned,
    find_imports,
    plan_imports,
    read_imports,
)
from cloudlet.services.cloudformation.operations.planning import ResourceChange
from cloudlet.services.cloudformation.stack_record import Resource, Stack, Target, Validation
from cloudlet.services.cloudformation.templates.functions import NOT_KNOWN

_NO_CHANGES: Final = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
_MAX_NAME_PART_CHARACTERS: Final = 50
_RANDOM_CHARACTERS: Final = 12


class PreparedChangeSet(NamedTuple):
    """A change set to be kept, its stack, its target, and early validation's findings."""

    made: ChangeSet
    stack: Stack
    target: Target
    description: str
    found: list[Validation]


async def prepare_change_sets(
    ctx: Context, params: Params, parent: PreparedChangeSet | None = None
) -> list[PreparedChangeSet]:
    """Return the change set that a request describes, and behind it those of nested stacks. Raises AwsError."""
    kind = params.get("ChangeSetType") or "UPDATE"
    stack, previous, resources = await _find_stack(ctx, params, kind)
    if parent is not None and not stack.parent:
        stack = replace(stack, parent=parent.stack.arn, root=parent.stack.root or parent.stack.arn)
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
        params["ChangeSetName"],
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
    if parent is not None:
        made = replace(made, parent=parent.made.arn, root=parent.made.root or parent.made.arn)
    prepared = PreparedChangeSet(made, stack, target, compiled.template.description, found)
    if reason or not made.has_nested_stacks:
        return [prepared]
    return await _add_nested(ctx, prepared, compiled, resources)


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


async def _add_nested(
    ctx: Context, prepared: PreparedChangeSet, compiled: CompiledTarget, resources: Mapping[str, Resource]
) -> list[PreparedChangeSet]:
    """Return a change set with those of the nested stacks that it makes or changes. Raises AwsError."""
    unknown = {change.name for change in prepared.made.changes if planning.is_unknown(change)}
    scope = planning.make_scope(compiled, resources, unknown)
    changes, below, failure = [], [], ""
    for change in prepared.made.changes:
        nested: list[PreparedChangeSet] = []
        if change.type == NESTED and change.action in ("Add", "Modify"):
            properties = compiled.resolve_properties(change.name, scope)
            try:
                nested = await _prepare_nested(ctx, prepared, change, properties)
            except AwsError as error:
                failure = failure or f"Nested change set of {change.name} was not successfully created: {error.message}"
        changes.append(replace(change, change_set=nested[0].made.arn) if nested else change)
        below.append(nested)
    arns = [each[0].made.arn for each in below if each]
    made = replace(prepared.made, changes=changes, nested=arns)
    for each in below:
        if each and each[0].made.status == "FAILED" and each[0].made.reason != _NO_CHANGES:
            arn = each[0].made.arn
            failure = failure or f"Nested change set {arn} was not successfully created: Currently in FAILED."
    if failure:
        made = replace(made, status="FAILED", execution="UNAVAILABLE", reason=failure)
    return [prepared._replace(made=made), *(each for nested in below for each in nested)]


async def _prepare_nested(
    ctx: Context, parent: PreparedChangeSet, change: ResourceChange, properties: Mapping[str, Any]
) -> list[PreparedChangeSet]:
    """Return the change set of a nested stack, and those below it.

    There is none where it depends on what is only known once resources are made: that has no valid value yet.
    """
    part = change.name[:_MAX_NAME_PART_CHARACTERS]
    random = token(_RANDOM_CHARACTERS)
    is_new, new_name = change.action == "Add", f"{parent.stack.name[:_MAX_NAME_PART_CHARACTERS]}-{part}-{random}"
    parameters = list_parameters(properties)
    params = {
        "StackName": new_name if is_new else change.physical_id,
        "ChangeSetName": f"{parent.made.name[:_MAX_NAME_PART_CHARACTERS]}-{part}-{random}",
        "ChangeSetType": "CREATE" if is_new else "UPDATE",
        "TemplateURL": properties.get("TemplateURL"),
        "Parameters": parameters,
        "Capabilities": list(CAPABILITIES),
        "Tags": [one for one in properties.get("Tags") or () if not tags.is_system_key(one["Key"])],
        "IncludeNestedStacks": True,
        "ImportExistingResources": parent.made.imports_existing,
    }
    try:
        return await prepare_change_sets(ctx, params, parent)
    except AwsError:
        if any(NOT_KNOWN in str(value) for value in (params["TemplateURL"], *parameters)):
            return []
        raise
