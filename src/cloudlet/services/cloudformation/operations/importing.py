"""Imports of resources that there are already, under the names that a template gives."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.aws.resources.caller import bind_invoke
from cloudlet.core.aws.resources.reader import find_reading
from cloudlet.core.aws.resources.registry import load_resource_types
from cloudlet.services.cloudformation import errors, stacks, states
from cloudlet.services.cloudformation.compiling import OWN_TYPES, CompiledTarget, get_schema, is_custom
from cloudlet.services.cloudformation.operations.planning import ResourceChange
from cloudlet.services.cloudformation.operations.provisioning_steps import BY
from cloudlet.services.cloudformation.provisioning.handlers import Work, make_handler
from cloudlet.services.cloudformation.stack_record import Stack, Target
from cloudlet.services.cloudformation.templates.functions import NOT_KNOWN
from cloudlet.services.cloudformation.templates.parsing import parse_template

_RETAINED = ("Retain", "RetainExceptOnCreate")


async def find_imports(
    ctx: Context, stack: Stack, compiled: CompiledTarget, changes: list[ResourceChange]
) -> list[ResourceChange]:
    """Return changes in which what would be added, and is there, is imported. Raises AwsError."""
    invoke = bind_invoke(ctx.block, ctx.principal.called_by(BY), ctx.account, ctx.region)
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


def can_import(kind: str) -> bool:
    """Whether resources of a type can be imported by their identifiers."""
    declared = load_resource_types().get(kind)
    is_own = is_custom(kind) or kind.startswith(OWN_TYPES)
    return declared is not None and not is_own and find_reading(declared) is not None


def read_imports(params: Params, compiled: CompiledTarget) -> dict[str, dict[str, str]]:
    """Return the identifiers of the resources that a request wants to import, by logical ids. Raises AwsError."""
    wanted = params.get("ResourcesToImport") or ()
    if not wanted:
        raise errors.make_validation_error("ResourcesToImport must be specified for a change set of type IMPORT.")
    found: dict[str, dict[str, str]] = {}
    for one in wanted:
        name, kind, identifier = one["LogicalResourceId"], one["ResourceType"], dict(one["ResourceIdentifier"])
        declared = compiled.resources.get(name)
        if declared is None:
            raise errors.make_validation_error(
                f"Resources [{name}] passed in ResourceToImport are not available in the template."
            )
        if declared["Type"] != kind:
            raise errors.make_validation_error(
                f"ResourceTypes [{kind}] in ResourceToImport do not match those of the template: [{declared['Type']}]"
            )
        if not can_import(kind):
            raise errors.make_validation_error(f"ResourceTypes [{kind}] are not supported for Import")
        names = get_schema(kind).identifier
        if set(identifier) != set(names):
            raise errors.make_validation_error(
                f"The resource identifier of {name} must have exactly the properties [{', '.join(names)}]."
            )
        _check_identifier(name, compiled, identifier)
        found[name] = identifier
    unprotected = [name for name in found if "DeletionPolicy" not in compiled.resources[name]]
    if unprotected:
        raise errors.make_validation_error(
            f"The following resources to import [{', '.join(unprotected)}] must have DeletionPolicy attribute "
            "specified in the template."
        )
    return found


def _check_identifier(name: str, compiled: CompiledTarget, identifier: Mapping[str, str]) -> None:
    """Raise AwsError where a template gives a resource another name than its identifier."""
    scope = compiled.make_scope(lambda name: NOT_KNOWN, lambda name, attribute: NOT_KNOWN)
    properties = compiled.resolve_properties(name, scope)
    for key, value in identifier.items():
        given = properties.get(key, value)
        if NOT_KNOWN not in str(given) and str(given) != value:
            raise errors.make_validation_error(
                f"The property {key} of resource {name} is [{given}] in the template, and [{value}] in its identifier."
            )


def plan_imports(
    imported: Mapping[str, Mapping[str, str]],
    changes: list[ResourceChange],
    compiled: CompiledTarget,
    previous: Target | None,
) -> list[ResourceChange]:
    """Return the changes of an import, which changes nothing else. Raises AwsError."""
    added = {change.name for change in changes if change.action == "Add"}
    present = sorted(set(imported) - added)
    if present:
        raise errors.make_validation_error(f"Resources [{', '.join(present)}] already exist in the stack.")
    others = [change.name for change in changes if change.name not in imported]
    if others:
        raise errors.make_validation_error(
            f"You have modified resources [{', '.join(others)}] in your template that are not being imported. "
            "Update, create or delete operations cannot be executed during import operations."
        )
    former = {} if previous is None else parse_template(previous.processed).get("Outputs", {})
    if compiled.template.raw.get("Outputs", {}) != former:
        raise errors.make_validation_error("As part of the import operation, you cannot modify or add [Outputs]")
    return [
        replace(change, action="Import", physical_id="|".join(imported[change.name].values())) for change in changes
    ]


async def check_unowned(
    ctx: Context, stack: Stack, imported: Mapping[str, Mapping[str, str]], compiled: CompiledTarget
) -> None:
    """Raise AwsError where a resource belongs to another stack."""

    async def find(tx: Transaction) -> None:
        space = stacks.get_space(ctx.account, ctx.region)
        for _, raw in await tx.range(space.begin, space.end, limit=stacks.MAX_ROWS):
            other = stacks.decode_stack(raw)
            if other.id == stack.id or other.status == states.DELETED:
                continue
            owned = await stacks.list_resources(tx, ctx.block.cloud.vault, other)
            for name, identifier in imported.items():
                for resource in owned.values():
                    known = (
                        {} if resource.instance is None else resource.instance.properties | resource.instance.attributes
                    )
                    if resource.type == compiled.resources[name]["Type"] and all(
                        str(known.get(key)) == value for key, value in identifier.items()
                    ):
                        raise _make_owned(name, other)

    await ctx.transact(find)


def _make_owned(name: str, owner: Stack) -> AwsError:
    return errors.make_validation_error(f"Resource {name} already exists in stack {owner.arn}")
