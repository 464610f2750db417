"""Imports of resources that there are already, under the names that a template gives."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context
from cloudlet.services.cloudformation.compiling import CompiledTarget
from cloudlet.services.cloudformation.operations.planning import ResourceChange
from cloudlet.services.cloudformation.provisioning.handlers import Work, make_handler
from cloudlet.services.cloudformation.stack_record import Stack
from cloudlet.services.cloudformation.templates.functions import NOT_KNOWN

_RETAINED = ("Retain", "RetainExceptOnCreate")


async def find_imports(
    ctx: Context, stack: Stack, compiled: CompiledTarget, changes: list[ResourceChange]
) -> list[ResourceChange]:
    """Return changes in which what would be added, and is there, is imported. Raises AwsError."""

    async def invoke(model: str, operation: str, params: dict[str, Any], *, once: str = "") -> Any:
        return await ctx.call_as_caller(model, operation, params)

    scope = compiled.make_scope(lambda name: NOT_KNOWN, lambda name, attribute: NOT_KNOWN)
    found = []
    for change in changes:
        if change.action == "Add" and compiled.resolve_option(change.name, "DeletionPolicy", "Delete") in _RETAINED:
            handler = make_handler(Work(ctx.block, stack, change.name, change.type, invoke, ctx.now()))
            properties = compiled.resolve_properties(change.name, scope)
            if handler.has_given_name(properties) and await handler.exists(properties):
                change = replace(change, action="Import")
        found.append(change)
    return found
