"""The start of operations: a stack gets a target, and the reconciler a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Transaction
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import errors, stacks, states
from cloudlet.services.cloudformation.operations import early_validation
from cloudlet.services.cloudformation.operations.running import request
from cloudlet.services.cloudformation.stack_record import Operation, Stack, Target, Validation

_USER: Final = "User Initiated"


def get_failure_option(params: Params) -> str:
    """Return what is done where a request's operation fails: DO_NOTHING, ROLLBACK or DELETE."""
    config = params.get("DeploymentConfig") or {}
    # Express mode rolls nothing back unless it is told to.
    is_kept = params.get("DisableRollback") or config.get("DisableRollback", config.get("Mode") == "EXPRESS")
    return params.get("OnFailure") or ("DO_NOTHING" if is_kept else "ROLLBACK")


def make_operation(ctx: Context, params: Params, target: str = "", on_failure: str = "") -> Operation:
    """Return an operation that a request begins."""
    return Operation(
        uuid4(),
        params.get("ClientRequestToken") or "",
        target,
        Caller.from_principal(ctx.principal),
        on_failure or get_failure_option(params),
        started=ctx.now(),
        imports_existing=bool(params.get("ImportExistingResources")),
        retain_except_on_create=bool(params.get("RetainExceptOnCreate")),
    )


def begin(
    ctx: Context,
    tx: Transaction,
    stack: Stack,
    operation: Operation,
    status: str,
    target: Target | None = None,
    found: Sequence[Validation] = (),
) -> Stack:
    """Begin an operation in a state, with what early validation has found; return the stack."""
    if target is not None:
        stacks.save_target(tx, ctx.block.cloud.vault, stack, target)
        stack = replace(stack, notification_arns=target.notification_arns)
    kind = states.KINDS[status]
    if not operation.kind:
        operation = replace(operation, kind=kind, errors=early_validation.count_errors(found))
        stacks.save_operation(tx, stack, operation.id, kind)
        stack = replace(stack, operation=operation)
    else:
        # A rollback of an operation that had failed before.
        kind = "CONTINUE_ROLLBACK" if operation.is_continued else kind
        stack = stacks.follow(tx, replace(stack, operation=operation), kind, ctx.now())
    changed = stacks.set_status(tx, stack, status, ctx.now(), _USER)
    stacks.add_validations(tx, changed, stacks.make_stack_event(changed, status, ctx.now()), found)
    request(tx, changed)
    return changed


def is_repeated(stack: Stack, params: Params) -> bool:
    """Whether a request is the one that began the last operation, sent again."""
    token = params.get("ClientRequestToken")
    return bool(token) and token == stack.operation.token


def check_updatable(stack: Stack) -> None:
    """Raise AwsError unless a stack may be updated now."""
    if stack.status not in states.UPDATABLE:
        raise errors.make_wrong_state(stack.arn, stack.status, "updated")
