"""Plans of updates: the changes, before anything is done."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError
from cloudlet.services.cloudformation.compiling import CompiledTarget, list_hidden, mask
from cloudlet.services.cloudformation.operations.comparing import add_made_up_name, find_changes
from cloudlet.services.cloudformation.operations.running import get_attribute
from cloudlet.services.cloudformation.stack_record import Resource
from cloudlet.services.cloudformation.templates.functions import NOT_KNOWN, Scope

_TEMPLATE_PARTS = ("Metadata", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy", "CreationPolicy")


class PropertyChange(msgspec.Struct, frozen=True):
    """A property, or another part of a resource in a template, that changes."""

    name: str
    """Empty for a part that is no property."""
    part: str
    """Properties, Tags, Metadata …"""
    recreation: str = "Never"
    before: str = ""
    after: str = ""
    is_direct: bool = True
    """Whether the template itself differs here."""


class ResourceChange(msgspec.Struct, frozen=True):
    """A resource that changes."""

    action: Literal["Add", "Import", "Modify", "Remove"]
    name: str
    type: str
    physical_id: str = ""
    replacement: str = ""
    """True, False or Conditional; empty where it is not modified."""
    properties: list[PropertyChange] = []
    policy_action: str = ""
    before: str = ""
    after: str = ""
    change_set: str = ""
    """The ARN of the change set of a nested stack."""


def make_scope(compiled: CompiledTarget, resources: Mapping[str, Resource], unknown: Collection[str]) -> Scope:
    """Return a scope that knows only the resources that are there and stay."""

    def find_reference(name: str) -> str:
        resource = resources.get(name)
        if name in unknown or resource is None or resource.instance is None:
            return NOT_KNOWN
        return resource.instance.physical_id

    def find_attribute(name: str, attribute: str) -> Any:
        resource = resources.get(name)
        if name in unknown or resource is None or resource.instance is None:
            return NOT_KNOWN
        try:
            return get_attribute(resource, attribute)
        except AwsError:
            return NOT_KNOWN

    return compiled.make_scope(find_reference, find_attribute)


def list_changes(
    compiled: CompiledTarget, former: CompiledTarget | None, resources: Mapping[str, Resource]
) -> list[ResourceChange]:
    """Return the resources that an update changes. Raises AwsError."""
    unknown: set[str] = set()
    scope = make_scope(compiled, resources, unknown)
    found: dict[str, ResourceChange] = {}
    for name in compiled.order:
        change = _find_change(compiled, former, scope, name, resources.get(name))
        if change is not None:
            found[name] = change
            if is_unknown(change):
                unknown.add(name)
    for name, resource in resources.items():
        if name not in compiled.resources and resource.physical_id:
            before = _describe(resource.instance.properties if resource.instance else {})
            policy = "Retain" if resource.deletion_policy == "Retain" else "Delete"
            found[name] = ResourceChange(
                "Remove", name, resource.type, resource.physical_id, policy_action=policy, before=before
            )
    hidden = list_hidden(compiled.target)
    return [_mask(found[name], hidden) for name in sorted(found)]


def is_unknown(change: ResourceChange) -> bool:
    """Whether nobody knows the resource that comes of a change, before it is made."""
    return change.action == "Add" or change.replacement != "False"


def _mask(change: ResourceChange, hidden: list[str]) -> ResourceChange:
    """Return a change without the values of hidden parameters."""
    if not hidden:
        return change
    properties = [
        replace(one, before=mask(one.before, hidden), after=mask(one.after, hidden)) for one in change.properties
    ]
    return replace(change, properties=properties, before=mask(change.before, hidden), after=mask(change.after, hidden))


def _find_change(
    compiled: CompiledTarget, former: CompiledTarget | None, scope: Scope, name: str, resource: Resource | None
) -> ResourceChange | None:
    declared = compiled.resources[name]
    properties = compiled.resolve_properties(name, scope)
    if resource is None or resource.instance is None:
        return ResourceChange("Add", name, declared["Type"], after=_describe(properties))
    before = resource.instance.properties
    after = add_made_up_name(resource.instance, properties)
    was = {} if former is None else former.resources.get(name, {})
    changes = [
        PropertyChange(
            key,
            "Tags" if key == "Tags" else "Properties",
            recreation,
            _format_value(before.get(key)),
            _format_value(after.get(key)),
            was.get("Properties", {}).get(key) != declared.get("Properties", {}).get(key),
        )
        for key, recreation in find_changes(resource.type, before, after).items()
    ]
    changes += [PropertyChange("", part) for part in _TEMPLATE_PARTS if was.get(part) != declared.get(part)]
    if not changes:
        return None
    kinds = {change.recreation for change in changes}
    replacement = "True" if "Always" in kinds else "Conditional" if "Conditionally" in kinds else "False"
    policy = ""
    if replacement == "True":
        policy = "ReplaceAndRetain" if declared.get("UpdateReplacePolicy") == "Retain" else "ReplaceAndDelete"
    return ResourceChange(
        "Modify",
        name,
        resource.type,
        resource.physical_id,
        replacement,
        changes,
        policy,
        _describe(before),
        _describe(after),
    )


def _describe(properties: Mapping[str, Any]) -> str:
    return json.dumps({"Properties": properties}, separators=(",", ":"))


def _format_value(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, separators=(",", ":"))


def to_api(change: ResourceChange, *, has_values: bool) -> dict[str, Any]:
    """Return a change as DescribeChangeSet has it; `has_values` tells whether with the values of properties."""
    shown: dict[str, Any] = {
        "Action": change.action,
        "LogicalResourceId": change.name,
        "ResourceType": change.type,
        "Scope": sorted({one.part for one in change.properties}),
        "Details": [_describe_detail(one, has_values=has_values) for one in change.properties],
    }
    if change.physical_id:
        shown["PhysicalResourceId"] = change.physical_id
    if change.replacement:
        shown["Replacement"] = change.replacement
    if change.change_set:
        shown["ChangeSetId"] = change.change_set
    if change.policy_action:
        shown["PolicyAction"] = change.policy_action
    if has_values:
        shown |= {
            key: value for key, value in (("BeforeContext", change.before), ("AfterContext", change.after)) if value
        }
    return {"Type": "Resource", "ResourceChange": shown}


def _describe_detail(change: PropertyChange, *, has_values: bool) -> dict[str, Any]:
    target: dict[str, Any] = {"Attribute": change.part, "RequiresRecreation": change.recreation}
    if change.name and change.part == "Properties":
        target["Name"] = change.name
    if has_values and change.name:
        target |= {"Path": f"/Properties/{change.name}", "BeforeValue": change.before, "AfterValue": change.after}
    is_dynamic = NOT_KNOWN in change.after
    shown = {"Target": target, "Evaluation": "Dynamic" if is_dynamic else "Static"}
    if change.is_direct:
        shown["ChangeSource"] = "DirectModification"
    else:
        shown["ChangeSource"] = "ResourceReference" if is_dynamic else "ParameterReference"
    return shown
