"""AttributeUpdates: PUT, ADD and DELETE of whole attributes.

API Reference, AttributeValueUpdate. Unlike the ADD of expressions, this one appends to lists too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import invalid_values, validation
from cloudlet.services.dynamodb.expressions import Update
from cloudlet.services.dynamodb.expressions.edits import Edit
from cloudlet.services.dynamodb.expressions.set_values import Given
from cloudlet.services.dynamodb.expressions.updates import Action, Add, Remove, Set, Subtract
from cloudlet.services.dynamodb.item_data.values import SETS, TYPE_NAMES, Item, Path, check_name, checked_value, type_of

_ADDABLE = ("N", "L", *SETS)


class _OfSameType(msgspec.Struct, frozen=True):
    """An action that wants what is there to be of its own type."""

    action: Add | Subtract

    @property
    def path(self) -> Path:
        return self.action.path

    @property
    def removes(self) -> bool:
        return self.action.removes

    def edit(self, item: Item) -> Edit | None:
        old = item.get(str(self.path[0]))
        kind = type_of(self.action.value)
        if old is None:
            return self.action.edit(item)
        if kind not in old:
            raise _mismatch()
        if kind == "L":
            return self.path, {"L": [*old["L"], *self.action.value["L"]]}
        return self.action.edit(item)


def attribute_updates(updates: Mapping[str, Mapping[str, Any]]) -> Update:
    """Return the update. Raises AwsError."""
    return Update([_action(name, update) for name, update in updates.items()])


def _action(name: str, update: Mapping[str, Any]) -> Action:
    check_name(name)
    path, action = (name,), update.get("Action") or "PUT"
    if update.get("Value") is None:
        if action != "DELETE":
            raise invalid_values("Only DELETE action is allowed when no attribute value is specified")
        return Remove(path)
    value = checked_value(update["Value"])
    kind = type_of(value)
    if action == "PUT":
        return Set(path, Given(value))
    if kind not in (_ADDABLE if action == "ADD" else SETS):
        raise invalid_values(f"{action} action is not supported for the type {TYPE_NAMES[kind]}")
    return _OfSameType(Add(path, value) if action == "ADD" else Subtract(path, value))


def _mismatch() -> AwsError:
    return validation("Type mismatch for attribute to update")
