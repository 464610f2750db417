"""Executing a refactor, all of which is one transaction.

So no resource is ever in two stacks, or in none.
"""

from __future__ import annotations

import json

from msgspec.structs import replace

from cloudlet.core import Context, Transaction
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import errors, exporting, stacks, states
from cloudlet.services.cloudformation.compiling import CompiledTarget, compile_target
from cloudlet.services.cloudformation.refactoring.layout import Layout, move_resources
from cloudlet.services.cloudformation.refactoring.refactor_record import Move, Refactor, StackPlan
from cloudlet.services.cloudformation.stack_record import Event, Operation, Resource, Stack


async def is_obsolete(tx: Transaction, refactor: Refactor) -> bool:
    """Whether a stack of a refactor has changed since it was planned."""
    for plan in refactor.plans:
        stack = plan.stack
        now = await stacks.find_by_name(tx, stack.account, stack.region, stack.name)
        if plan.is_new != (now is None):
            return True
        if now is not None and (now.id, now.operation.id, now.status) != (stack.id, stack.operation.id, stack.status):
            return True
    return False


async def load_layout(tx: Transaction, ctx: Context, refactor: Refactor) -> Layout:
    """Return the layout of a refactor whose resources are where they are to be."""
    resources = await list_all(tx, ctx, refactor.plans)
    compiled = {plan.stack.id: compile_target(plan.stack, plan.target) for plan in refactor.plans}
    return Layout(compiled, move_resources(resources, refactor.moves), await list_others(tx, ctx, compiled))


async def list_all(tx: Transaction, ctx: Context, plans: list[StackPlan]) -> dict[str, dict[str, Resource]]:
    """Return the resources of the stacks of a refactor."""
    return {plan.stack.id: await stacks.list_resources(tx, ctx.block.cloud.vault, plan.stack) for plan in plans}


async def list_others(tx: Transaction, ctx: Context, compiled: dict[str, CompiledTarget]) -> dict[str, str]:
    """Return the values that stacks import from stacks that are not refactored."""
    found = {}
    for target in compiled.values():
        for name in target.list_imports():
            export = await stacks.exports.find(tx, ctx.account, ctx.region, name)
            if export is not None and export.stack not in compiled:
                found[name] = export.value
    return found


async def check_exports(tx: Transaction, refactor: Refactor, layout: Layout) -> None:
    """Raise AwsError where others export under a name, or import what changes."""
    wanted = layout.list_exports()
    ids = {plan.stack.id for plan in refactor.plans}
    names = {plan.stack.name for plan in refactor.plans}
    for name in wanted:
        found = await stacks.exports.find(tx, refactor.account, refactor.region, name)
        if found is not None and found.stack not in ids:
            raise errors.make_validation_error(
                f"Export with name {name} is already exported by stack {found.stack_name}."
            )
    for plan in refactor.plans:
        for output in plan.stack.outputs:
            if output.export and wanted.get(output.export, ("", ""))[1] != output.value:
                users = await stacks.list_importers(tx, refactor.account, refactor.region, output.export)
                others = [user for user in users if user not in names]
                if others:
                    raise errors.make_validation_error(
                        f"Cannot delete export {output.export} as it is in use by {' and '.join(others)}."
                    )


async def execute(ctx: Context, tx: Transaction, refactor: Refactor) -> None:
    """Move the resources of a refactor. Raises AwsError where something has changed since it was planned."""
    layout = await load_layout(tx, ctx, refactor)
    layout.check_unchanged()
    await check_exports(tx, refactor, layout)
    resources = await list_all(tx, ctx, refactor.plans)
    caller = Caller.from_principal(ctx.principal)
    begun = {plan.stack.id: _begin(ctx, tx, plan, caller) for plan in refactor.plans}
    for move in refactor.moves:
        _take_out(ctx, tx, begun[move.source_stack], resources[move.source_stack][move.source], move)
    for plan in refactor.plans:
        stack, compiled = begun[plan.stack.id], compile_target(plan.stack, plan.target)
        moved = {
            move.name: resources[move.source_stack][move.source]
            for move in refactor.moves
            if move.stack == plan.stack.id
        }
        for name in compiled.order:
            _put_in(
                ctx, tx, stack, compiled, name, moved.get(name) or resources[stack.id][name], is_moved=name in moved
            )
        outputs = layout.list_outputs(stack.id)
        stacks.remove_target(tx, stack, plan.stack.target)
        changed = replace(stack, outputs=outputs, description=compiled.template.description, target=plan.target.id)
        await exporting.save(tx, changed, outputs, compiled.list_imports())
        stacks.set_status(tx, changed, "CREATE_COMPLETE" if plan.is_new else "UPDATE_COMPLETE", ctx.now())


def _begin(ctx: Context, tx: Transaction, plan: StackPlan, caller: Caller) -> Stack:
    """Begin an operation of a stack; return the stack."""
    operation = Operation(uuid4(), target=plan.target.id, caller=caller, started=ctx.now())
    stack = replace(plan.stack, operation=operation, updated=0.0 if plan.is_new else ctx.now())
    stacks.save_target(tx, ctx.block.cloud.vault, stack, plan.target)
    status = "CREATE_IN_PROGRESS" if plan.is_new else "UPDATE_IN_PROGRESS"
    return stacks.set_status(tx, stack, status, ctx.now(), "User Initiated")


def _take_out(ctx: Context, tx: Transaction, stack: Stack, resource: Resource, move: Move) -> None:
    stacks.remove_resource(tx, resource)
    if move.stack != move.source_stack:
        for status in ("EXPORT_IN_PROGRESS", "EXPORT_COMPLETE"):
            _add_event(ctx, tx, stack, resource, status)


def _put_in(
    ctx: Context,
    tx: Transaction,
    stack: Stack,
    compiled: CompiledTarget,
    name: str,
    resource: Resource,
    *,
    is_moved: bool,
) -> None:
    declared = compiled.resources[name]
    is_foreign = resource.stack != stack.id
    placed = replace(
        resource,
        stack=stack.id,
        name=name,
        status="IMPORT_COMPLETE" if is_foreign else resource.status,
        updated=ctx.now() if is_moved else resource.updated,
        dependencies=compiled.dependencies[name],
        deletion_policy=compiled.resolve_option(name, "DeletionPolicy", "Delete"),
        update_replace_policy=compiled.resolve_option(name, "UpdateReplacePolicy", "Delete"),
        metadata=json.dumps(declared["Metadata"]) if "Metadata" in declared else "",
        before=None,
        made_by="",
    )
    stacks.save_resource(tx, ctx.block.cloud.vault, placed)
    if is_foreign:
        for status in ("IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"):
            _add_event(ctx, tx, stack, placed, status)


def _add_event(ctx: Context, tx: Transaction, stack: Stack, resource: Resource, status: str) -> None:
    event = Event(
        f"{resource.name}-{status}-{uuid4()}",
        resource.name,
        resource.type,
        resource.physical_id,
        status,
        ctx.now(),
        operation=stack.operation.id,
    )
    stacks.add_event(tx, stack, event)


def check_plannable(stack: Stack) -> None:
    """Raise AwsError for a stack that cannot be refactored now."""
    if stack.status not in states.UPDATABLE or not stack.target:
        raise errors.make_wrong_state(stack.arn, stack.status, "refactored")
