"""Comparison of properties: which ones differ, and whether that replaces a resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.services.cloudformation.compiling import get_schema
from cloudlet.services.cloudformation.stack_record import Instance


def add_made_up_name(instance: Instance, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties with the generated name of a resource, where they give none."""
    name = instance.made_up
    if not name or name in properties:
        return dict(properties)
    return {**properties, name: instance.properties[name]}


def find_changes(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """Return the properties that differ, and whether that needs another resource: Never, Conditionally, Always."""
    schema = get_schema(kind)
    changes = {}
    for name in schema.find_changes(old, new):
        if schema.needs_replacement(name, old, new):
            changes[name] = "Always"
        else:
            changes[name] = "Conditionally" if schema.can_need_replacement(name, old, new) else "Never"
    return changes


def needs_replacement(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a change of a resource's properties makes another resource."""
    return "Always" in find_changes(kind, old, new).values()
