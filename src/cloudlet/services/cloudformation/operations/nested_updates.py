"""Updates of nested stacks, which clean up last, and until then roll back with parents."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudformation import exporting, stacks, states
from cloudlet.services.cloudformation.compiling import compile_target
from cloudlet.services.cloudformation.stack_record import Operation, Stack

_UNDECIDED: Final = frozenset(
    {"UPDATE_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"}
)
"""The states of a parent that may still roll back."""


async def find_awaited(tx: Transaction, stack: Stack, caller: str) -> str:
    """Return the operation that an update is a part of, by the stack that calls."""
    if not stack.parent or caller != stack.parent:
        return ""
    parent = await stacks.find_by_name(tx, stack.account, stack.region, stack.parent)
    return parent.operation.id if parent is not None and parent.status == "UPDATE_IN_PROGRESS" else ""


async def is_held(tx: Transaction, stack: Stack) -> bool:
    """Whether a stack must not clean up yet, as its parent may still roll back."""
    if stack.status != states.CLEANING or not stack.operation.awaited:
        return False
    parent = await stacks.find_by_name(tx, stack.account, stack.region, stack.parent)
    if parent is None or parent.operation.id != stack.operation.awaited:
        return False
    return parent.status in _UNDECIDED or await is_held(tx, parent)


async def take_back(tx: Transaction, block: Block, stack: Stack) -> Stack | None:
    """Return a stack as before its update; None unless its parent rolls back."""
    operation = stack.operation
    parent = await stacks.find_by_name(tx, stack.account, stack.region, stack.parent) if operation.former else None
    if parent is None or (parent.operation.id, parent.status) != (operation.awaited, "UPDATE_ROLLBACK_IN_PROGRESS"):
        return None
    target = await stacks.find_target(tx, block.cloud.vault, stack, operation.former)
    if target is None:
        return None
    compiled = compile_target(stack, target)
    await exporting.save(tx, stack, operation.former_outputs, compiled.list_imports())
    return replace(
        stack,
        target=operation.former,
        outputs=operation.former_outputs,
        description=compiled.template.description,
        operation=end(operation),
    )


def end(operation: Operation) -> Operation:
    """Return an operation that no parent's rollback can reach any more."""
    return replace(operation, awaited="", former="", former_outputs=[])
