"""Handlers: what makes, updates and deletes a resource of a stack, whatever its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cloudlet.core.aws.resources.provisioner import Instance, Invoke, Provisioner
from cloudlet.core.aws.resources.registry import load_resource_types
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudformation.compiling import NESTED, get_schema, is_custom
from cloudlet.services.cloudformation.stack_record import Stack

MACRO: Final = "AWS::CloudFormation::Macro"
STACK_SET: Final = "AWS::CloudFormation::StackSet"


class Later(Exception):
    """A resource has to be looked at again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Work:
    """The surroundings of a handler."""

    block: Block
    stack: Stack
    logical_id: str
    kind: str
    invoke: Invoke
    started: float
    """The time at which the work on the resource began."""
    creation_policy: str = ""
    """The CreationPolicy of the resource, as JSON."""


class Handler(Protocol):
    """Provisions one resource. Raises ProvisioningError, and AwsError for what may pass.

    A pause is after how many seconds to look again; None where nothing is left to do.
    """

    def assign_name(self, properties: Mapping[str, Any], prefix: str, suffix: str) -> dict[str, Any]:
        """Return properties with a name, where the type has names."""

    def has_given_name(self, properties: Mapping[str, Any]) -> bool:
        """Whether properties have a name that others may have, too."""

    def get_reference(self, instance: Instance) -> str:
        """Return the physical id."""

    async def exists(self, properties: Mapping[str, Any]) -> bool:
        """Whether there is a resource with the name that properties have."""

    async def find(self, properties: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the attributes of the resource with the name that properties have."""

    async def create(
        self, properties: Mapping[str, Any], name: str, token: str, *, is_repeated: bool
    ) -> dict[str, Any]:
        """Make a resource; return its attributes."""

    async def complete(self, instance: Instance, token: str) -> tuple[dict[str, Any], float | None]:
        """Do what is missing of a new resource; return its attributes and the pause."""

    async def update(self, old: Instance, new: Mapping[str, Any], token: str) -> dict[str, Any]:
        """Bring a resource from its properties to others; return its attributes."""

    async def refresh(self, instance: Instance, token: str = "") -> tuple[dict[str, Any], float | None]:
        """Return the attributes of an updated resource and the pause."""

    async def delete(self, instance: Instance, token: str = "") -> float | None:
        """Delete a resource; return the pause."""


def get_given_name(kind: str, properties: Mapping[str, Any]) -> str:
    """Return the name that properties give a resource, empty where they give none."""
    declared = load_resource_types().get(kind)
    named = "Name" if declared is None or declared.named is None else declared.named.property
    names = [value for key, value in properties.items() if key.endswith("Name")]
    return str(properties.get(named) or next(iter(names), ""))


def make_handler(work: Work) -> Handler:
    """Return the handler of a resource."""
    # Imported late: they import this module.
    from cloudlet.services.cloudformation.provisioning.custom_resource import CustomResource
    from cloudlet.services.cloudformation.provisioning.local_types import LOCAL_TYPES
    from cloudlet.services.cloudformation.provisioning.macro_resource import MacroResource
    from cloudlet.services.cloudformation.provisioning.nested_stack import NestedStack
    from cloudlet.services.cloudformation.provisioning.stack_set_resource import StackSetResource

    if is_custom(work.kind):
        return CustomResource(work)
    if work.kind == MACRO:
        return MacroResource(work)
    if work.kind == STACK_SET:
        return StackSetResource(work)
    if work.kind == NESTED:
        return NestedStack(work)
    local = LOCAL_TYPES.get(work.kind)
    if local is not None:
        return local(work)
    stack = work.stack
    declared = load_resource_types()[work.kind]
    return Provisioner(declared, get_schema(work.kind), work.invoke, stack.account, stack.region)
