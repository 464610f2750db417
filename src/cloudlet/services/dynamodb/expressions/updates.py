"""Update expressions: from their text to what an item becomes.

Developer Guide, "Using update expressions in DynamoDB".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from cloudlet.services.dynamodb.errors import update_too_large
from cloudlet.services.dynamodb.expressions import syntax
from cloudlet.services.dynamodb.expressions.edits import Edit, edited
from cloudlet.services.dynamodb.expressions.paths import find, tree
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem, said_of
from cloudlet.services.dynamodb.expressions.projections import PathProjection, Projection
from cloudlet.services.dynamodb.expressions.set_values import Given, NewValue, new_value, wrong_data_type
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.expressions.update_grammar import update_syntax
from cloudlet.services.dynamodb.item_data import numbers
from cloudlet.services.dynamodb.item_data.values import (
    LARGEST_ITEM,
    SETS,
    TYPE_NAMES,
    Item,
    Path,
    Value,
    type_of,
    value_size,
)


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
        if len(actions) > 1:
            tree([action.path for action in actions])

    @property
    def written(self) -> list[str]:
        """The top-level attributes of which it writes something."""
        return [str(action.path[0]) for action in self._actions]

    @property
    def entered(self) -> list[str]:
        """The top-level attributes within which it writes something."""
        return [str(action.path[0]) for action in self._actions if len(action.path) > 1]

    @property
    def given(self) -> Item:
        """What it sets top-level attributes to, where the request says it."""
        given: Item = {}
        for action in self._actions:
            if isinstance(action, Set) and len(action.path) == 1 and isinstance(action.new, Given):
                given[str(action.path[0])] = action.new.constant
        return given

    @property
    def attributes(self) -> frozenset[str]:
        """The top-level attributes that it writes or looks at."""
        read = [action.new.attributes for action in self._actions if isinstance(action, Set)]
        return frozenset(self.written).union(*read)

    @property
    def targets(self) -> Projection:
        """The parts that it writes: `targets.of(old)` is UPDATED_OLD, `targets.of(new)` is UPDATED_NEW."""
        return PathProjection([action.path for action in self._actions])

    @property
    def only_removes(self) -> bool:
        """Whether it sets nothing: such an update of an item that does not exist creates none."""
        return bool(self._actions) and all(action.removes for action in self._actions)

    def apply(self, item: Item, *, exists: bool = True) -> Item:
        """Return the item after the update, leaving the one given as it is. Raises AwsError.

        An item that does not exist yet is given as its key alone, with `exists` False.
        """
        edits = [edit for action in self._actions if (edit := action.edit(item)) is not None]
        if len(edits) > 1:
            _check_size(edits)
        return edited(item, edits, exists=exists)


def _check_size(edits: Sequence[Edit]) -> None:
    """Raise AwsError where an item would be too large: one value may be set in hundreds of places."""
    sizes: dict[int, int] = {}
    total = 0
    for _, value in edits:
        if value is not None:
            size = sizes.get(id(value))
            if size is None:
                size = sizes[id(value)] = value_size(value)
            total += size
            if total > LARGEST_ITEM:
                raise update_too_large()


class Set:
    __slots__ = ("new", "path")
    removes: ClassVar[bool] = False

    def __init__(self, path: Path, new: NewValue) -> None:
        self.path = path
        self.new = new

    def edit(self, item: Item) -> Edit | None:
        return self.path, self.new.value(item)


class Remove:
    __slots__ = ("path",)
    removes: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        self.path = path

    def edit(self, item: Item) -> Edit | None:
        return self.path, None


class Add:
    """Add to a number, as to 0 where there is none, or to a set."""

    __slots__ = ("path", "value")
    removes: ClassVar[bool] = False

    def __init__(self, path: Path, value: Value) -> None:
        self.path = path
        self.value = value

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


class Subtract:
    """Take members from a set; an attribute that has none left is removed."""

    __slots__ = ("path", "value")
    removes: ClassVar[bool] = True

    def __init__(self, path: Path, value: Value) -> None:
        self.path = path
        self.value = value

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


def _action(asked: syntax.Action, subs: Substitutions) -> Action:
    path = subs.path(asked.path)
    if isinstance(asked, syntax.SetAction):
        return Set(path, new_value(asked.value, subs))
    if isinstance(asked, syntax.RemoveAction):
        return Remove(path)
    value = subs.value(asked.value.name)
    kind = type_of(value)
    if kind not in SETS and not (kind == "N" and asked.operator == "ADD"):
        raise ExpressionProblem(
            "Incorrect operand type for operator or function; "
            f"operator: {asked.operator}, operand type: {TYPE_NAMES[kind]}"
        )
    return Add(path, value) if asked.operator == "ADD" else Subtract(path, value)
