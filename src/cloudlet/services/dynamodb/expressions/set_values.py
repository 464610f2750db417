"""What SET sets: values, attributes, sums, differences, `if_not_exists` and `list_append`.

All of it is read from the item as it was before the update. Developer Guide, "Using update expressions in DynamoDB".
"""

from __future__ import annotations

from typing import Protocol

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions import problems, syntax
from cloudlet.services.dynamodb.expressions.operands import CONDITION_FUNCTIONS, UPDATE_FUNCTIONS
from cloudlet.services.dynamodb.expressions.paths import find
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.item_data import numbers
from cloudlet.services.dynamodb.item_data.values import Item, Path, Value, type_of


class NewValue(Protocol):
    """What an attribute is set to."""

    @property
    def attributes(self) -> frozenset[str]:
        """The top-level attributes that it looks at."""

    def value(self, item: Item) -> Value:
        """Return the value, given the item before the update. Raises AwsError."""


class Given:
    __slots__ = ("constant",)

    def __init__(self, constant: Value) -> None:
        self.constant = constant

    @property
    def attributes(self) -> frozenset[str]:
        return frozenset()

    def value(self, item: Item) -> Value:
        return self.constant


class Copied:
    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def attributes(self) -> frozenset[str]:
        return frozenset((str(self.path[0]),))

    def value(self, item: Item) -> Value:
        value = find(item, self.path)
        if value is None:
            raise validation("The provided expression refers to an attribute that does not exist in the item")
        return value


class IfNotExists:
    __slots__ = ("otherwise", "path")

    def __init__(self, path: Path, otherwise: NewValue) -> None:
        self.path = path
        self.otherwise = otherwise

    @property
    def attributes(self) -> frozenset[str]:
        return self.otherwise.attributes | {str(self.path[0])}

    def value(self, item: Item) -> Value:
        value = find(item, self.path)
        return self.otherwise.value(item) if value is None else value


class Appended:
    __slots__ = ("first", "second")

    def __init__(self, first: NewValue, second: NewValue) -> None:
        self.first = first
        self.second = second

    @property
    def attributes(self) -> frozenset[str]:
        return self.first.attributes | self.second.attributes

    def value(self, item: Item) -> Value:
        first, second = self.first.value(item), self.second.value(item)
        if "L" not in first or "L" not in second:
            raise wrong_data_type()
        return {"L": [*first["L"], *second["L"]]}


class Computed:
    """A sum or a difference of numbers."""

    __slots__ = ("left", "operator", "right")

    def __init__(self, operator: str, left: NewValue, right: NewValue) -> None:
        self.operator = operator
        self.left = left
        self.right = right

    @property
    def attributes(self) -> frozenset[str]:
        return self.left.attributes | self.right.attributes

    def value(self, item: Item) -> Value:
        left, right = self.left.value(item), self.right.value(item)
        if "N" not in left or "N" not in right:
            raise wrong_data_type()
        compute = numbers.add if self.operator == "+" else numbers.subtract
        return {"N": compute(left["N"], right["N"])}


def wrong_data_type() -> AwsError:
    return validation("An operand in the update expression has an incorrect data type")


def new_value(tree: syntax.Operand | syntax.Arithmetic, subs: Substitutions) -> NewValue:
    """Return what an attribute is to be set to. Raises ExpressionProblem."""
    if not isinstance(tree, syntax.Arithmetic):
        return _operand(tree, subs)
    left, right = _operand(tree.left, subs), _operand(tree.right, subs)
    for side in (left, right):
        _check_given(tree.operator, side, "N")
        if isinstance(side, Appended):
            raise problems.wrong_operand_type(tree.operator, "L")
    return Computed(tree.operator, left, right)


def _operand(tree: syntax.Operand, subs: Substitutions) -> NewValue:
    if isinstance(tree, syntax.PathSyntax):
        return Copied(subs.path(tree))
    if isinstance(tree, syntax.Placeholder):
        return Given(subs.value(tree.name))
    return _function(tree, subs)


def _function(call: syntax.Call, subs: Substitutions) -> NewValue:
    if call.function in CONDITION_FUNCTIONS or call.function == "size":
        raise problems.function_unknown_here(call.function, "an update")
    if call.function not in UPDATE_FUNCTIONS:
        raise problems.unknown_function(call.function)
    if len(call.operands) != 2:
        raise problems.wrong_number_of_operands(call.function, len(call.operands))
    first, second = (_operand(operand, subs) for operand in call.operands)
    if isinstance(first, Appended) or isinstance(second, Appended):
        raise problems.function_misplaced("list_append")
    if call.function == "list_append":
        for side in (first, second):
            _check_given("list_append", side, "L")
        return Appended(first, second)
    if not isinstance(first, Copied):
        raise problems.path_required("if_not_exists")
    return IfNotExists(first.path, second)


def _check_given(name: str, operand: NewValue, kind: str) -> None:
    if isinstance(operand, Given) and kind not in operand.constant:
        raise problems.wrong_operand_type(name, type_of(operand.constant))
