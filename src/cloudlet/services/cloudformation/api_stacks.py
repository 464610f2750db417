"""The operations that make, update and delete stacks."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.cloudformation import change_sets, errors, rendering, stack_policies, stacks, states
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.compiling import CompiledTarget, compile_target
from cloudlet.services.cloudformation.operations import early_validation, nested_updates, planning, preparing, starting
from cloudlet.services.cloudformation.operations.running import request
from cloudlet.services.cloudformation.rollback_configuration import RollbackConfiguration, parse_configuration
from cloudlet.services.cloudformation.stack_record import Resource, Stack, Target

_NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")
_ARN: Final = re.compile(r"arn:[-a-zA-Z0-9:/._+]*")
_ON_FAILURE: Final = ("DO_NOTHING", "ROLLBACK", "DELETE")
MAX_NAME_CHARACTERS: Final = 128
_PAGE: Final = 100
_MINUTE_SECONDS: Final = 60.0


def check_name(name: str) -> None:
    """Raise AwsError for what is no name of a new stack."""
    if not _NAME.fullmatch(name):
        raise errors.make_validation_error(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    if len(name) > MAX_NAME_CHARACTERS:
        raise errors.make_validation_error(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must "
            f"have length less than or equal to {MAX_NAME_CHARACTERS}"
        )


def check_supported(params: Params) -> None:
    """Raise AwsError for what cannot be honoured."""
    if mode := params.get("DeploymentMode"):
        raise errors.make_not_built(f"the deployment mode {mode}")
    if params.get("ForceRollback"):
        raise errors.make_not_built("the parameter ForceRollback")


def check_types(params: Params, compiled: CompiledTarget) -> None:
    """Raise AwsError for a resource whose type the request does not admit."""
    allowed = params.get("ResourceTypes")
    if not allowed:
        return
    for resource in compiled.resources.values():
        kind = resource["Type"]
        if not any(kind == one or (one.endswith("*") and kind.startswith(one[:-1])) for one in allowed):
            raise errors.make_validation_error(
                f"Resource type {kind} is not allowed by parameter ResourceTypes [{', '.join(allowed)}]"
            )


def make_stack(ctx: Context, params: Params, status: str) -> Stack:
    """Return a new stack of the caller's."""
    # A stack that is made for another one's resource.
    parent = ctx.source_arn if ctx.principal.invoked_by == "cloudformation.amazonaws.com" else ""
    return Stack(
        ctx.account,
        ctx.region,
        stacks.make_id(ctx.now()),
        params["StackName"],
        status,
        ctx.now(),
        role=params.get("RoleARN") or "",
        is_protected=bool(params.get("EnableTerminationProtection")),
        timeout_minutes=params.get("TimeoutInMinutes") or 0,
        on_failure=starting.get_failure_option(params),
        parent=parent,
        rollback=parse_configuration(params.get("RollbackConfiguration"), RollbackConfiguration()),
    )


@service.direct("CreateStack")
async def create_stack(ctx: Context, params: Params) -> Result:
    name = params["StackName"]
    check_name(name)
    check_supported(params)
    if params.get("OnFailure") and params.get("DisableRollback") is not None:
        raise errors.make_validation_error("You can specify either DisableRollback or OnFailure, but not both.")

    async def find_existing(tx: Transaction) -> Stack | None:
        return await stacks.find_by_name(tx, ctx.account, ctx.region, name)

    existing = await ctx.transact(find_existing)
    if existing is not None and starting.is_repeated(existing, params):
        return {"StackId": existing.arn}
    if existing is not None:
        raise errors.make_already_exists(name)
    policy = await stack_policies.load_policy(
        ctx, "StackPolicy", params.get("StackPolicyBody"), params.get("StackPolicyURL")
    )
    stack = replace(make_stack(ctx, params, ""), policy=policy)
    target, compiled = await preparing.prepare(ctx, stack, params, None)
    check_types(params, compiled)
    changes = [] if target.failure else list_changes(stack, compiled, None, {})
    found = await early_validation.validate_operation(ctx, params, stack, compiled, changes)
    deadline = ctx.now() + stack.timeout_minutes * _MINUTE_SECONDS if stack.timeout_minutes else 0.0
    operation = replace(starting.make_operation(ctx, params, target.id, stack.on_failure), deadline=deadline)

    async def create(tx: Transaction) -> str:
        if await find_existing(tx) is not None:
            raise errors.make_already_exists(name)
        root = await _find_root(ctx, tx, stack.parent)
        described = replace(stack, description=compiled.template.description, root=root)
        return starting.begin(ctx, tx, described, operation, "CREATE_IN_PROGRESS", target, found).arn

    return {"StackId": await ctx.transact(create), "OperationId": operation.id}


async def _find_root(ctx: Context, tx: Transaction, parent: str) -> str:
    """Return the stack that nested ones begin with, by the parent of one."""
    found = await stacks.find_by_name(tx, ctx.account, ctx.region, parent) if parent else None
    return "" if found is None else found.root or found.arn


async def load_for_update(ctx: Context, name: str) -> tuple[Stack, Target | None, dict[str, Resource]]:
    """Return a stack, its target and its resources. Raises AwsError."""

    async def load(tx: Transaction) -> tuple[Stack, Target | None, dict[str, Resource]]:
        stack = await stacks.get_live(ctx, tx, name)
        # One that failed to be made, and was not rolled back, is brought to the next target from the one that failed.
        target = await stacks.find_target(tx, ctx.block.cloud.vault, stack, stack.target or stack.operation.target)
        return stack, target, await stacks.list_resources(tx, ctx.block.cloud.vault, stack)

    return await ctx.transact(load)


def list_changes(
    stack: Stack, compiled: CompiledTarget, previous: Target | None, resources: dict[str, Resource]
) -> list[planning.ResourceChange]:
    """Return what an update changes of a stack's resources. Raises AwsError."""
    former = None if previous is None or previous.failure else compile_target(stack, previous)
    for name, resource in resources.items():
        kind = compiled.resources.get(name, {}).get("Type", resource.type)
        if kind != resource.type and resource.physical_id:
            raise errors.make_validation_error(
                "Update of resource type is not permitted. The new template modifies resource type of the following "
                f"resources: [{name}]"
            )
    return planning.list_changes(compiled, former, resources)


def has_changes(
    changes: list[planning.ResourceChange],
    target: Target,
    compiled: CompiledTarget,
    stack: Stack,
    previous: Target | None,
) -> bool:
    """Whether there is anything to do for an update."""
    if changes or previous is None or previous.failure:
        return True
    former = compile_target(stack, previous)
    return target.tags != previous.tags or preparing.evaluate(compiled) != preparing.evaluate(former)


@service.direct("UpdateStack")
async def update_stack(ctx: Context, params: Params) -> Result:
    check_supported(params)
    stack, previous, resources = await load_for_update(ctx, params["StackName"])
    if starting.is_repeated(stack, params):
        return {"StackId": stack.arn}
    starting.check_updatable(stack)
    policy = await stack_policies.load_policy(
        ctx, "StackPolicy", params.get("StackPolicyBody"), params.get("StackPolicyURL")
    )
    policy_during_update = await stack_policies.load_policy(
        ctx,
        "StackPolicyDuringUpdate",
        params.get("StackPolicyDuringUpdateBody"),
        params.get("StackPolicyDuringUpdateURL"),
    )
    target, compiled = await preparing.prepare(ctx, stack, params, previous)
    check_types(params, compiled)
    changes: list[planning.ResourceChange] = []
    if not target.failure:
        changes = list_changes(stack, compiled, previous, resources)
        if not has_changes(changes, target, compiled, stack, previous) and not stack.status.endswith("_FAILED"):
            raise errors.make_no_updates()
    found = await early_validation.validate_operation(ctx, params, stack, compiled, changes)
    operation = starting.make_operation(ctx, params, target.id)

    async def update(tx: Transaction) -> Result:
        now = await stacks.get_live(ctx, tx, stack.arn)
        starting.check_updatable(now)
        if now.operation.id != stack.operation.id:
            raise errors.make_wrong_state(stack.arn, now.status, "updated")
        changed = replace(
            now,
            role=params.get("RoleARN") or now.role,
            updated=ctx.now(),
            policy=policy or now.policy,
            policy_during_update=policy_during_update,
            rollback=parse_configuration(params.get("RollbackConfiguration"), now.rollback),
        )
        awaited = await nested_updates.find_awaited(tx, now, ctx.source_arn)
        starting.begin(ctx, tx, changed, replace(operation, awaited=awaited), "UPDATE_IN_PROGRESS", target, found)
        return {"StackId": stack.arn, "OperationId": operation.id}

    return await ctx.transact(update)


@service.operation("DeleteStack")
async def delete_stack(ctx: Context, tx: Transaction, params: Params) -> Result:
    check_supported(params)
    found = await stacks.find_by_name(tx, ctx.account, ctx.region, params["StackName"])
    if found is None or found.status in (states.DELETED, "DELETE_IN_PROGRESS"):
        return {}
    is_forced = params.get("DeletionMode") == "FORCE_DELETE_STACK"
    if is_forced and found.status != "DELETE_FAILED":
        raise errors.make_validation_error(
            f"Invalid operation on stack [{found.arn}]. Delete a stack with FORCE_DELETE_STACK only when it is in the "
            "DELETE_FAILED state."
        )
    retained = list(params.get("RetainResources") or ())
    if retained and found.status != "DELETE_FAILED":
        raise errors.make_validation_error(
            f"Invalid operation on stack [{found.arn}]. When you delete a stack, specify which resources to retain "
            "only when the stack is in the DELETE_FAILED state."
        )
    if found.is_protected:
        raise errors.make_validation_error(
            f"Stack [{found.name}] cannot be deleted while TerminationProtection is enabled"
        )
    if found.status == states.EMPTY:
        await change_sets.remove_all_nested(tx, found, ctx.now())
        stacks.set_status(tx, found, states.DELETED, ctx.now())
        return {}
    if states.is_in_progress(found.status) and found.status not in ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
        raise errors.make_validation_error(f"Stack [{found.arn}] cannot be deleted while in status {found.status}")
    operation = replace(
        starting.make_operation(ctx, params, found.operation.target),
        retained=retained,
        is_forced=is_forced,
        status_before=found.status,
    )
    changed = replace(found, role=params.get("RoleARN") or found.role)
    starting.begin(ctx, tx, changed, operation, "DELETE_IN_PROGRESS")
    return {}


@service.operation("CancelUpdateStack")
async def cancel_update_stack(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await stacks.get_live(ctx, tx, params["StackName"])
    token = params.get("ClientRequestToken") or ""
    if token and token == found.operation.cancelling:
        return {}
    if found.status != "UPDATE_IN_PROGRESS":
        raise errors.make_validation_error("CancelUpdateStack cannot be called from current stack status")
    stacks.save(tx, replace(found, operation=replace(found.operation, is_cancelled=True, cancelling=token)))
    request(tx, found)
    return {}


@service.operation("ContinueUpdateRollback")
async def continue_update_rollback(ctx: Context, tx: Transaction, params: Params) -> Result:
    check_supported(params)
    found = await stacks.get_live(ctx, tx, params["StackName"])
    if found.status != "UPDATE_ROLLBACK_FAILED":
        raise errors.make_validation_error(
            f"Stack:{found.arn} is in {found.status} state and can not continue rollback."
        )
    skipped = list(params.get("ResourcesToSkip") or ())
    resources = await stacks.list_resources(tx, ctx.block.cloud.vault, found)
    await _check_skipped(ctx, tx, found, skipped, resources)
    # The same operation, which only what failed is not done for.
    operation = replace(
        found.operation,
        caller=starting.make_operation(ctx, params).caller,
        token=params.get("ClientRequestToken") or "",
        skipped=skipped,
        is_continued=True,
    )
    phase = f"{operation.id}:revert"
    for name, resource in resources.items():
        if name in skipped:
            # From now on it is taken for what it was before: who skips it sees to that.
            was = resource.before or resource.instance
            kept = replace(resource, status="UPDATE_COMPLETE", reason="", instance=was, making=None)
            stacks.save_resource(tx, ctx.block.cloud.vault, replace(kept, done=phase, failed=""))
        elif resource.status.endswith("_FAILED"):
            stacks.save_resource(tx, ctx.block.cloud.vault, replace(resource, done="", failed=""))
    changed = replace(found, role=params.get("RoleARN") or found.role)
    starting.begin(ctx, tx, changed, operation, "UPDATE_ROLLBACK_IN_PROGRESS")
    return {}


async def _check_skipped(
    ctx: Context, tx: Transaction, stack: Stack, skipped: list[str], resources: dict[str, Resource]
) -> None:
    """Raise AwsError for a resource that has not failed: a rollback cannot skip it."""
    for name in skipped:
        found = resources.get(name)
        if "." in name:
            nested_name, _, inner = name.partition(".")
            nested = await stacks.find_by_name(tx, ctx.account, ctx.region, nested_name)
            if nested is not None and nested.root == (stack.root or stack.arn):
                found = await stacks.find_resource(tx, ctx.block.cloud.vault, nested, inner)
        if found is None or not found.status.endswith("_FAILED"):
            raise errors.make_validation_error(f"Resource {name} does not exist, or is not in a failed state")


@service.operation("RollbackStack")
async def rollback_stack(ctx: Context, tx: Transaction, params: Params) -> Result:
    check_supported(params)
    found = await stacks.get_live(ctx, tx, params["StackName"])
    status = states.ROLLED_BACK.get(found.status)
    restored = await nested_updates.take_back(tx, ctx.block, found) if found.status == states.CLEANING else found
    if status is None or restored is None:
        raise errors.make_wrong_state(found.arn, found.status, "rolled back")
    operation = replace(
        restored.operation,
        token=params.get("ClientRequestToken") or restored.operation.token,
        caller=starting.make_operation(ctx, params).caller if restored is found else found.operation.caller,
        retain_except_on_create=bool(params.get("RetainExceptOnCreate")),
    )
    changed = replace(restored, role=params.get("RoleARN") or found.role)
    begun = starting.begin(ctx, tx, changed, operation, status)
    return {"StackId": found.arn, "OperationId": begun.operation.current_id}


@service.operation("UpdateTerminationProtection")
async def update_termination_protection(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await stacks.get_live(ctx, tx, params["StackName"])
    stacks.save(tx, replace(found, is_protected=params["EnableTerminationProtection"]))
    return {"StackId": found.arn}


# Looking


async def _show(ctx: Context, tx: Transaction, stack: Stack) -> dict[str, Any]:
    target = await stacks.find_target(tx, ctx.block.cloud.vault, stack, _get_shown_target(stack))
    return rendering.to_api(stack, target)


def _get_shown_target(stack: Stack) -> str:
    """Return the target whose parameters and tags are shown."""
    is_rolled_back = "ROLLBACK" in stack.status and bool(stack.target)
    return stack.target if is_rolled_back or not stack.operation.target else stack.operation.target


@service.operation("DescribeStacks")
async def describe_stacks(ctx: Context, tx: Transaction, params: Params) -> Result:
    if name := params.get("StackName"):
        return {"Stacks": [await _show(ctx, tx, await stacks.get(ctx, tx, name, errors.make_id_not_found))]}

    def select(raw: bytes) -> Stack | None:
        found = stacks.decode_stack(raw)
        return None if found.status == states.DELETED else found

    space, token = stacks.get_space(ctx.account, ctx.region), params.get("NextToken")
    found, following = await listing.list_page(tx, space, token, _PAGE, select, errors.make_wrong_token())
    return {"Stacks": [await _show(ctx, tx, stack) for stack in found], "NextToken": following}


@service.operation("ListStacks")
async def list_stacks(ctx: Context, tx: Transaction, params: Params) -> Result:
    wanted = params.get("StackStatusFilter")

    def select(raw: bytes) -> dict[str, Any] | None:
        found = stacks.decode_stack(raw)
        return rendering.summarize(found) if not wanted or found.status in wanted else None

    space, token = stacks.get_space(ctx.account, ctx.region), params.get("NextToken")
    shown, following = await listing.list_page(tx, space, token, _PAGE, select, errors.make_wrong_token())
    return {"StackSummaries": shown, "NextToken": following}
