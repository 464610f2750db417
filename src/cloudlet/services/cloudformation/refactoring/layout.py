"""The layout that a refactor leads to: resources by stack, and their outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.compiling import NESTED, CompiledTarget
from cloudlet.services.cloudformation.operations.comparing import add_made_up_name
from cloudlet.services.cloudformation.operations.running import get_attribute
from cloudlet.services.cloudformation.refactoring.refactor_record import Move
from cloudlet.services.cloudformation.stack_record import Output, Resource
from cloudlet.services.cloudformation.templates.functions import Scope

_FIXED: Final = (NESTED, "AWS::CloudFormation::WaitCondition", "AWS::CloudFormation::WaitConditionHandle")
"""Types of resources that belong to their stack for good."""
Resources = Mapping[str, Mapping[str, Resource]]
"""Resources by the ids of their stacks, and their logical ids."""


def find_moves(
    compiled: Mapping[str, CompiledTarget], resources: Resources, mappings: Mapping[tuple[str, str], tuple[str, str]]
) -> list[Move]:
    """Return the moves that bring resources to where templates have them. Raises AwsError.

    `mappings` has the sources that the caller tells, by destinations: ids of stacks, and logical ids.
    """
    left = {
        (stack, name): resource
        for stack, all_of_it in resources.items()
        for name, resource in all_of_it.items()
        if resource.instance is not None
        and (name not in compiled[stack].resources or (stack, name) in mappings.values())
    }
    wanted = [
        (stack, name)
        for stack, target in compiled.items()
        for name in target.order
        if name not in resources.get(stack, {}) or (stack, name) in mappings
    ]
    moves = []
    for stack, name in wanted:
        declared = compiled[stack].resources[name]
        source = mappings.get((stack, name)) or _detect(declared, name, left)
        found = None if source is None else left.pop(source, None)
        if source is None or found is None:
            raise errors.make_validation_error(
                f"Stack refactor does not create resources: there is no resource that becomes [{name}]."
            )
        if found.type != declared["Type"]:
            raise errors.make_validation_error(
                f"Resource [{source[1]}] of type {found.type} cannot become [{name}] of type {declared['Type']}."
            )
        if found.type in _FIXED and source[0] != stack:
            raise errors.make_validation_error(f"Stack refactor does not support the resource type {found.type}.")
        moves.append(Move(found.type, found.physical_id, *source, stack, name, (stack, name) not in mappings))
    if left:
        names = sorted(name for _, name in left)
        raise errors.make_validation_error(
            f"Stack refactor does not delete resources: [{', '.join(names)}] are in no template any more."
        )
    return moves


def _detect(declared: Mapping[str, Any], name: str, left: Mapping[tuple[str, str], Resource]) -> tuple[str, str] | None:
    """Return the resource that one in a template was before.

    It has the same name, or is the only one of the type.
    """
    same_type = [key for key, resource in left.items() if resource.type == declared["Type"]]
    same_name = [key for key in same_type if key[1] == name]
    found = same_name or same_type
    return found[0] if len(found) == 1 else None


def move_resources(resources: Resources, moves: list[Move]) -> dict[str, dict[str, Resource]]:
    """Return resources as they are after some moves."""
    placed = {stack: dict(all_of_it) for stack, all_of_it in resources.items()}
    for move in moves:
        placed[move.source_stack].pop(move.source, None)
    for move in moves:
        placed.setdefault(move.stack, {})[move.name] = resources[move.source_stack][move.source]
    return placed


class Layout:
    """Stacks with resources in their new places: functions are evaluated with them."""

    def __init__(self, compiled: Mapping[str, CompiledTarget], placed: Resources, exported: Mapping[str, str]) -> None:
        """`exported` are the values that other stacks export."""
        self._compiled = compiled
        self._placed = placed
        self._exported = exported
        self._outputs: dict[str, list[Output]] = {}
        self._resolving: set[str] = set()

    def check_unchanged(self) -> None:
        """Raise AwsError where a template changes a resource."""
        changed = []
        for stack, target in self._compiled.items():
            scope = self._make_scope(stack)
            for name in target.order:
                instance = self._placed[stack][name].instance
                properties = target.resolve_properties(name, scope)
                if instance is None or add_made_up_name(instance, properties) != instance.properties:
                    changed.append(name)
        if changed:
            raise errors.make_validation_error(
                f"Stack refactor does not change resources: the properties of [{', '.join(sorted(changed))}] differ."
            )

    def list_outputs(self, stack: str) -> list[Output]:
        """Return the outputs of a stack. Raises AwsError."""
        if stack not in self._outputs:
            if stack in self._resolving:
                raise errors.make_validation_error("Circular dependency between exports of stacks")
            self._resolving.add(stack)
            self._outputs[stack] = self._compiled[stack].resolve_outputs(self._make_scope(stack))
            self._resolving.discard(stack)
        return self._outputs[stack]

    def list_exports(self) -> dict[str, tuple[str, str]]:
        """Return the stacks and the values of what is exported, by names. Raises AwsError."""
        found: dict[str, tuple[str, str]] = {}
        for stack in self._compiled:
            for output in self.list_outputs(stack):
                if output.export and output.export in found:
                    raise errors.make_validation_error(f"Export with name {output.export} is exported twice.")
                if output.export:
                    found[output.export] = stack, output.value
        return found

    def _make_scope(self, stack: str) -> Scope:
        placed = self._placed[stack]

        def find_reference(name: str) -> str:
            return _get_resource(placed, name).physical_id

        def find_attribute(name: str, attribute: str) -> Any:
            return get_attribute(_get_resource(placed, name), attribute)

        return self._compiled[stack].make_scope(find_reference, find_attribute, self._find_import)

    def _find_import(self, name: str) -> str:
        if name in self._exported:
            return self._exported[name]
        for stack in self._compiled:
            found = next((one.value for one in self.list_outputs(stack) if one.export == name), None)
            if found is not None:
                return found
        raise errors.make_validation_error(f"No export named {name} found.")


def _get_resource(placed: Mapping[str, Resource], name: str) -> Resource:
    found = placed.get(name)
    if found is None or found.instance is None:
        raise errors.make_template_error(f"resource {name} is not there")
    return found
