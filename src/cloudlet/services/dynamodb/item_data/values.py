"""Attribute values: what is admitted, how it is normalised, compared and measured.

A value is what the wire decodes: a dictionary with one entry, its type and its content, as `{"S": "x"}`,
`{"N": "1"}`, `{"B": b""}`, `{"M": {…}}`, `{"L": […]}`, `{"SS": […]}`, `{"BOOL": True}`, `{"NULL": True}`. Values are
never changed in place: what is new is a new dictionary.

Developer Guide, "Naming rules and data types", "Item sizes and formats", "Constraints".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.core.aws import utf8
from cloudlet.services.dynamodb.errors import Reworded, invalid_values, validation
from cloudlet.services.dynamodb.item_data import numbers

Value = dict[str, Any]
Item = dict[str, Value]
Path = tuple[str | int, ...]
"""A document path: the name of an attribute, then names of map entries and positions in lists."""

DEEPEST: Final = 32
"""Lists and maps within each other, and elements of a path."""
LARGEST_ITEM: Final = 400 * 1024
"""Bytes of an item with its rows in all local indexes."""
LONGEST_NAME: Final = 65535
"""Bytes of an attribute's name."""
_SHORT_NAME: Final = LONGEST_NAME // 4
"""Characters of a name that is not too long, whatever characters they are."""
TYPE_NAMES: Final = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
    "M": "MAP",
    "L": "LIST",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
}
SETS: Final = ("SS", "NS", "BS")
_COMPARABLE: Final = ("S", "N", "B")
_PLAIN: Final = frozenset(("S", "B", "BOOL"))
"""Types of which each value can be kept as it is."""


def type_of(value: Value) -> str:
    """Return the type of a value: S, N, B, SS, NS, BS, M, L, BOOL or NULL."""
    for kind in value:
        return kind
    raise ValueError("a value without a type")


def to_api(value: Value) -> str:
    """Return a value as AWS's messages show it."""
    kind = type_of(value)
    content = value[kind]
    return f"AttributeValue: {{{kind}:{content if isinstance(content, str) else '...'}}}"


def checked_item(item: Item) -> Item:
    """Return an item as DynamoDB keeps it: numbers in canonical text. Raises AwsError for what it cannot keep."""
    for name in item:
        if not 0 < len(name) <= _SHORT_NAME:
            check_name(name)
    return {name: checked_value(value) for name, value in item.items()}


def check_name(name: str) -> None:
    """Raise AwsError for a name that no attribute can have."""
    if not name:
        raise invalid_values("Empty attribute name")
    if len(name) > LONGEST_NAME or (not name.isascii() and len(name.encode()) > LONGEST_NAME):
        raise invalid_values(f"Attribute name is too large, must be less than {LONGEST_NAME + 1} bytes")


def checked_value(value: Value, depth: int = 0) -> Value:
    """Return a value as DynamoDB keeps it; `depth` is the number of lists and maps around it. Raises AwsError."""
    if len(value) != 1:
        if not value:
            raise validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
        raise validation(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        )
    [(kind, content)] = value.items()
    if kind in _PLAIN:
        return value
    if kind == "N":
        text = numbers.canonical(content)
        return value if text == content else {"N": text}
    if kind in ("M", "L"):
        if depth >= DEEPEST:
            raise nested_too_deeply()
        if kind == "M":
            return {"M": {name: checked_value(inner, depth + 1) for name, inner in content.items()}}
        return {"L": [checked_value(inner, depth + 1) for inner in content]}
    if kind == "NULL":
        if not content:
            raise invalid_values("Null attribute value types must have the value of true")
        return value
    return {kind: _checked_set(kind, content)}


def nested_too_deeply() -> AwsError:
    return validation(
        "Nesting Levels have exceeded supported limits: "
        "Attributes in the item have nested levels beyond supported limit"
    )


def _checked_set(kind: str, members: list[Any]) -> list[Any]:
    if not members:
        raise _empty_set(kind)
    if kind == "NS":
        members = [numbers.canonical(member) for member in members]
    if len(set(members)) != len(members):
        raise _duplicates(kind, members)
    return members


def _empty_set(kind: str) -> AwsError:
    names = {
        "SS": "An string set  may not be empty",
        "NS": "An number set  may not be empty",
        "BS": "Binary sets should not be empty",
    }
    return invalid_values(names[kind])


def _duplicates(kind: str, members: list[Any]) -> AwsError:
    """Return the error about members of a set that are the same; AWS shows them in order up to the first repeat."""
    invalid = invalid_values("Input collection").message
    if kind == "NS":
        return Reworded(f"{invalid} contains duplicates.", "Input collection contains duplicates")
    seen: set[Any] = set()
    for member in members:
        if member in seen:
            break
        seen.add(member)
    ordered = [*sorted(seen), *members[len(seen) :]]
    if kind == "SS":
        shown = ", ".join(f'"{member}"' for member in ordered)
        return Reworded(
            f"{invalid} [{shown}] contains duplicates.", f"{invalid} [{', '.join(members)}] contains duplicates."
        )
    shown = ",".join(f'"{b64encode(member).decode()}"' for member in ordered)
    older = ", ".join(b64encode(member).decode() for member in members)
    return Reworded(
        f"{invalid} [{shown}]of type BS contains duplicates.", f"{invalid} [{older}]of type BS contains duplicates."
    )


def depth(value: Value) -> int:
    """Return how many lists and maps are within each other in a value; 0 for a scalar or a set."""
    for kind in ("M", "L"):
        if kind in value:
            inner = value[kind].values() if kind == "M" else value[kind]
            return 1 + max(map(depth, inner), default=0)
    return 0


# -- comparison


def equal(left: Value, right: Value) -> bool:
    """Whether two checked values are the same; the order of a set's members does not matter."""
    if left == right:
        return True
    kind = type_of(left)
    if kind != type_of(right):
        return False
    one, other = left[kind], right[kind]
    if kind in SETS:
        return len(one) == len(other) and set(one) == set(other)
    if kind == "L":
        return len(one) == len(other) and all(map(equal, one, other))
    if kind == "M":
        return one.keys() == other.keys() and all(equal(inner, other[name]) for name, inner in one.items())
    return False


def compare(left: Value, right: Value) -> int | None:
    """Return how two checked values of one ordered type (S, N, B) compare; None for all others.

    Strings compare as their UTF-8 bytes do (which is as their code points do), binaries as unsigned bytes.
    """
    kind = type_of(left)
    if kind not in _COMPARABLE or kind not in right:
        return None
    one, other = left[kind], right[kind]
    if kind == "N":
        return numbers.compare(one, other)
    return 0 if one == other else -1 if one < other else 1


# -- sizes

_CONTAINER: Final = 3
_ELEMENT: Final = 1


def item_size(item: Item) -> int:
    """Return the bytes that an item counts for: its names and its values."""
    size = _texts(item)
    for value in item.values():
        text = value.get("S")
        if text is None:
            size += value_size(value)
        else:
            # Most values are strings: they are not to cost a call each.
            size += len(text) if text.isascii() else len(text.encode())
    return size


def value_size(value: Value) -> int:
    """Return the bytes that a checked value counts for."""
    [(kind, content)] = value.items()
    return _SIZES[kind](content)


def _map_size(content: Item) -> int:
    return _CONTAINER + _ELEMENT * len(content) + item_size(content)


def _list_size(content: list[Value]) -> int:
    return _CONTAINER + _ELEMENT * len(content) + sum(map(value_size, content))


def _texts(members: Iterable[str]) -> int:
    return utf8.size("".join(members))


def _one(_: object) -> int:
    return 1


_SIZES: Final[dict[str, Callable[[Any], int]]] = {
    "S": utf8.size,
    "N": numbers.size,
    "B": len,
    "SS": _texts,
    "NS": lambda members: sum(map(numbers.size, members)),
    "BS": lambda members: sum(map(len, members)),
    "M": _map_size,
    "L": _list_size,
    "BOOL": _one,
    "NULL": _one,
}
