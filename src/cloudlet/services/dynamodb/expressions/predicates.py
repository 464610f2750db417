"""What conditions are made of: comparisons, functions, and their combinations, all of them about one item.

`Condition` is what all have in common. Comparing with what an item does not have is false, and `<>` is true.
Developer Guide, "Condition and filter expressions, operators, and functions in DynamoDB".
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from cloudlet.services.dynamodb.expressions.operands import Constant, Operand, attributes
from cloudlet.services.dynamodb.item_data.values import SETS, Item, Value, compare, equal, type_of


class Condition(Protocol):
    """What must be true of an item."""

    @property
    def attributes(self) -> frozenset[str]:
        """The top-level attributes that it looks at."""

    def matches(self, item: Item) -> bool:
        """Whether it is true of an item; one that does not exist is an empty one."""


_ORDERS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ORDERING = tuple(_ORDERS)
_COMPOUND = frozenset((*SETS, "L", "M"))
"""Types of which values are equal that are written in another order."""


class _OfOperands(msgspec.Struct, frozen=True):
    """A condition whose operands are its fields."""

    @property
    def attributes(self) -> frozenset[str]:
        fields = [getattr(self, name) for name in self.__struct_fields__]
        return attributes([each for each in fields if isinstance(each, Operand)])


class Equals(_OfOperands, frozen=True):
    left: Operand
    right: Operand

    def matches(self, item: Item) -> bool:
        left, right = self.left.value(item), self.right.value(item)
        return left is not None and right is not None and equal(left, right)


class Ordered(_OfOperands, frozen=True):
    """One of <, <=, > and >=: true for strings, numbers and binaries of one type only."""

    comparator: str
    left: Operand
    right: Operand

    def matches(self, item: Item) -> bool:
        return in_order(self.comparator, self.left.value(item), self.right.value(item))


class IsBetween(_OfOperands, frozen=True):
    operand: Operand
    lower: Operand
    upper: Operand

    def matches(self, item: Item) -> bool:
        value = self.operand.value(item)
        return in_order(">=", value, self.lower.value(item)) and in_order("<=", value, self.upper.value(item))


class IsIn(msgspec.Struct, frozen=True):
    operand: Operand
    members: tuple[Operand, ...]
    known: frozenset[tuple[str, Any]]
    """The members that are constants and equal only where they are written alike: types and contents."""
    others: tuple[Operand, ...]
    """All other members."""

    @classmethod
    def of(cls, operand: Operand, members: tuple[Operand, ...]) -> IsIn:
        known = [member.constant for member in members if isinstance(member, Constant)]
        scalars = [(kind, value[kind]) for value in known if (kind := type_of(value)) not in _COMPOUND]
        others = [each for each in members if not isinstance(each, Constant) or type_of(each.constant) in _COMPOUND]
        return cls(operand, members, frozenset(scalars), tuple(others))

    @property
    def attributes(self) -> frozenset[str]:
        return attributes((self.operand, *self.members))

    def matches(self, item: Item) -> bool:
        value = self.operand.value(item)
        if value is None:
            return False
        kind = type_of(value)
        if kind not in _COMPOUND and (kind, value[kind]) in self.known:
            return True
        candidates = (member.value(item) for member in self.others)
        return any(candidate is not None and equal(value, candidate) for candidate in candidates)


class Exists(_OfOperands, frozen=True):
    operand: Operand

    def matches(self, item: Item) -> bool:
        return self.operand.value(item) is not None


class IsOfType(_OfOperands, frozen=True):
    operand: Operand
    kind: str

    def matches(self, item: Item) -> bool:
        value = self.operand.value(item)
        return value is not None and type_of(value) == self.kind


class BeginsWith(_OfOperands, frozen=True):
    operand: Operand
    prefix: Operand

    def matches(self, item: Item) -> bool:
        value, prefix = self.operand.value(item), self.prefix.value(item)
        if value is None or prefix is None:
            return False
        kind = type_of(prefix)
        return kind in ("S", "B") and kind in value and value[kind].startswith(prefix[kind])


class Contains(_OfOperands, frozen=True):
    operand: Operand
    element: Operand

    def matches(self, item: Item) -> bool:
        value, element = self.operand.value(item), self.element.value(item)
        return value is not None and element is not None and contains(value, element)


class Negation(msgspec.Struct, frozen=True):
    condition: Condition

    @property
    def attributes(self) -> frozenset[str]:
        return self.condition.attributes

    def matches(self, item: Item) -> bool:
        return not self.condition.matches(item)


class Once:
    """A condition that is looked at once for each item, however often a long expression has it: values may be large."""

    __slots__ = ("_item", "_matches", "condition")

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self._item: Item | None = None
        self._matches = False

    @property
    def attributes(self) -> frozenset[str]:
        return self.condition.attributes

    def matches(self, item: Item) -> bool:
        if item is not self._item:
            self._matches = self.condition.matches(item)
            self._item = item
        return self._matches


class _Several(msgspec.Struct, frozen=True):
    conditions: Sequence[Condition]

    @property
    def attributes(self) -> frozenset[str]:
        return frozenset().union(*(condition.attributes for condition in self.conditions))


class All(_Several, frozen=True):
    def matches(self, item: Item) -> bool:
        for condition in self.conditions:  # noqa: SIM110 - conditions nest deep: no frame too many
            if not condition.matches(item):
                return False
        return True


class AnyOf(_Several, frozen=True):
    def matches(self, item: Item) -> bool:
        for condition in self.conditions:  # noqa: SIM110 - conditions nest deep: no frame too many
            if condition.matches(item):
                return True
        return False


def weight(condition: Condition) -> int:
    """Return how many comparisons a condition makes at most, of an item."""
    if isinstance(condition, Negation | Once):
        return weight(condition.condition)
    if isinstance(condition, All | AnyOf):
        return sum(map(weight, condition.conditions))
    return 1 + len(condition.others) if isinstance(condition, IsIn) else 1


def in_order(comparator: str, left: Value | None, right: Value | None) -> bool:
    """Whether two values compare as <, <=, > or >= says; False where they do not compare at all."""
    if left is None or right is None:
        return False
    order = compare(left, right)
    return order is not None and _ORDERS[comparator](order, 0)


def contains(value: Value, element: Value) -> bool:
    """Whether a string or binary has another one within, or a set or list has a member."""
    kind, wanted = type_of(value), type_of(element)
    if kind in ("S", "B"):
        return kind == wanted and element[kind] in value[kind]
    if kind in SETS:
        return kind == wanted + "S" and element[wanted] in value[kind]
    if kind == "L":
        # Scalars are equal where they are written alike. A list has a hundred thousand members, and an expression asks
        # two hundred times.
        return element in value["L"] or (wanted in _COMPOUND and any(equal(member, element) for member in value["L"]))
    return False
