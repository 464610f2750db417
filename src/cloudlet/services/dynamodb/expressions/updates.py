"""Update expressions: from their text to what an item becomes.

Developer Guide, "Using update expressions in DynamoDB".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cloudlet.services.dynamodb import numbers
from cloudlet.services.dynamodb.expressions import syntax
from cloudlet.services.dynamodb.expressions.edits import Edit, edited
from cloudlet.services.dynamodb.expressions.paths import find
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem, said_of
from cloudlet.services.dynamodb.expressions.projections import PathProjection, Projection
from cloudlet.services.dynamodb.expressions.set_values import NewValue, new_value, wrong_data_type
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.expressions.update_grammar import update_syntax
from cloudlet.services.dynamodb.values import SETS, TYPE_NAMES, Item, Path, Value, type_of


class Action(Protocol):
    """A change of what an item has at one path."""

    @property
    def path(self) -> Path: ...

    @property
    def removes(self) -> bool:
        """Whether all it does is to take away."""

    def edit(self, item: Item) -> Edit | None:
        """Return the change, given the item before the update; None for none. Raises AwsError."""


class Update:
    """What an item is to become. Raises ExpressionProblem where one action is about part of another one's path."""

    def __init__(self, actions: Sequence[Action]) -> None:
        self._actions = actions
        self.targets: Projection = PathProjection([action.path for action in actions])
        """The parts that it writes: `targets.attributes` for the check of keys, `targets.of(old)` is UPDATED_OLD and
        `targets.of(new)` is UPDATED_NEW."""

    @property
    def only_removes(self) -> bool:
        """Whether it sets nothing: such an update of an item that does not exist creates none."""
        return bool(self._actions) and all(action.removes for action in self._actions)

    def apply(self, item: Item, *, exists: bool = True) -> Item:
        """Return the item after the update, leaving the one given as it is. Raises AwsError.

        An item that does not exist yet is given as its key alone, with `exists` False.
        """
        edits = [edit for action in self._actions if (edit := action.edit(item)) is not None]
        return edited(item, edits, exists=exists)


@dataclass(frozen=True, slots=True)
class Set:
    path: Path
    new: NewValue

    @property
    def removes(self) -> bool:
        return False

    def edit(self, item: Item) -> Edit | None:
        return self.path, self.new.value(item)


@dataclass(frozen=True, slots=True)
class Remove:
    path: Path

    @property
    def removes(self) -> bool:
        return True

    def edit(self, item: Item) -> Edit | None:
        return self.path, None


@dataclass(frozen=True, slots=True)
class Add:
    """Add to a number, as to 0 where there is none, or to a set."""

    path: Path
    value: Value

    @property
    def removes(self) -> bool:
        return False

    def edit(self, item: Item) -> Edit | None:
        old = find(item, self.path)
        if old is None:
            return self.path, self.value
        kind = type_of(self.value)
        if kind not in old:
            raise wrong_data_type()
        if kind == "N":
            return self.path, {"N": numbers.add(old["N"], self.value["N"])}
        present = set(old[kind])
        return self.path, {kind: [*old[kind], *(member for member in self.value[kind] if member not in present)]}


@dataclass(frozen=True, slots=True)
class Subtract:
    """Take members from a set; an attribute that has none left is removed."""

    path: Path
    value: Value

    @property
    def removes(self) -> bool:
        return True

    def edit(self, item: Item) -> Edit | None:
        old = find(item, self.path)
        kind = type_of(self.value)
        if old is None:
            # Where nothing is, nothing changes; where the path leads nowhere, it is as wrong as in REMOVE.
            return (self.path, None) if len(self.path) > 1 else None
        if kind not in old:
            raise wrong_data_type()
        gone = set(self.value[kind])
        rest = [member for member in old[kind] if member not in gone]
        return self.path, {kind: rest} if rest else None


def parse_update(text: str, subs: Substitutions) -> Update:
    """Return an update. Raises AwsError."""
    with said_of("UpdateExpression"):
        return Update([_action(action, subs) for action in update_syntax(text)])


def _action(tree: syntax.Action, subs: Substitutions) -> Action:
    path = subs.path(tree.path)
    if isinstance(tree, syntax.SetAction):
        return Set(path, new_value(tree.value, subs))
    if isinstance(tree, syntax.RemoveAction):
        return Remove(path)
    value = subs.value(tree.value.name)
    kind = type_of(value)
    if kind not in SETS and not (kind == "N" and tree.operator == "ADD"):
        raise ExpressionProblem(
            "Incorrect operand type for operator or function; "
            f"operator: {tree.operator}, operand type: {TYPE_NAMES[kind]}"
        )
    return Add(path, value) if tree.operator == "ADD" else Subtract(path, value)
