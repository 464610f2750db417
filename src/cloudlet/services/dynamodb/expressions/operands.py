"""The operands of conditions: attributes, constants and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from cloudlet.services.dynamodb.expressions import problems
from cloudlet.services.dynamodb.expressions.paths import find, to_api
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.expressions.syntax import Call, PathSyntax, Placeholder
from cloudlet.services.dynamodb.expressions.syntax import Operand as OperandSyntax
from cloudlet.services.dynamodb.item_data.values import Item, Path, Value, type_of

UPDATE_FUNCTIONS = ("if_not_exists", "list_append")
CONDITION_FUNCTIONS = ("attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains")
_SIZED = ("S", "B", "SS", "NS", "BS", "L", "M")


class Attribute(msgspec.Struct, frozen=True):
    """What an item has at a path."""

    path: Path

    def value(self, item: Item) -> Value | None:
        path = self.path
        return item.get(path[0]) if len(path) == 1 else find(item, path)  # type: ignore[arg-type]


class Constant(msgspec.Struct, frozen=True):
    """A value that the request gives."""

    constant: Value

    def value(self, item: Item) -> Value | None:
        return self.constant


class Size(msgspec.Struct, frozen=True):
    """The characters of a string, the bytes of a binary, the members of a set, list or map."""

    operand: Attribute | Constant

    def value(self, item: Item) -> Value | None:
        value = self.operand.value(item)
        if value is None:
            return None
        kind = type_of(value)
        return {"N": str(len(value[kind]))} if kind in _SIZED else None


Operand: TypeAlias = Attribute | Constant | Size


def operand(syntax: OperandSyntax, subs: Substitutions) -> Operand:
    """Return an operand of a comparison or function. Raises ExpressionProblem."""
    if isinstance(syntax, PathSyntax):
        return Attribute(subs.path(syntax))
    if isinstance(syntax, Placeholder):
        return Constant(subs.value(syntax.name))
    check_function(syntax)
    if syntax.function != "size":
        raise problems.function_misplaced(syntax.function)
    if len(syntax.operands) != 1:
        raise problems.wrong_number_of_operands("size", len(syntax.operands))
    inner = operand(syntax.operands[0], subs)
    check_constant("size", inner, _SIZED)
    return Size(inner) if not isinstance(inner, Size) else inner


def check_function(call: Call) -> None:
    """Raise ExpressionProblem for a function that conditions do not have."""
    if call.function in UPDATE_FUNCTIONS:
        raise problems.function_unknown_here(call.function, "a condition")
    if call.function not in CONDITION_FUNCTIONS and call.function != "size":
        raise problems.unknown_function(call.function)


def check_constant(name: str, operand: Operand, kinds: Sequence[str]) -> None:
    """Raise ExpressionProblem where an operand is known not to be of one of these types."""
    if isinstance(operand, Size):
        kind = "N"
    elif isinstance(operand, Constant):
        kind = type_of(operand.constant)
    else:
        return
    if kind not in kinds:
        raise problems.wrong_operand_type(name, kind)


def check_distinct(name: str, first: Operand, others: Sequence[Operand]) -> None:
    """Raise ExpressionProblem where an attribute is compared with itself."""
    if isinstance(first, Attribute) and first in others:
        raise problems.operands_not_distinct(name, to_api(first.path))


def attributes(operands: Sequence[Operand]) -> frozenset[str]:
    """Return the top-level attributes that operands look at."""
    found = set()
    for one in operands:
        inner = one.operand if isinstance(one, Size) else one
        if isinstance(inner, Attribute):
            found.add(str(inner.path[0]))
    return frozenset(found)
