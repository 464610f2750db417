"""Changes to parts of an item, made all at once: none of them sees what another one did.

Positions in lists are those before the change; what is set beyond a list's end is added to it, in the order of the
positions; what is removed there is nothing. Developer Guide, "Using update expressions in DynamoDB".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.item_data.values import DEEPEST, Item, Path, Value, depth, nested_too_deeply

Edit = tuple[Path, Value | None]
"""A path and the value to set there, or None to remove what is there. No path of an update contains another one."""


def edited(item: Item, edits: Iterable[Edit], *, exists: bool) -> Item:
    """Return an item after edits, leaving the one given as it is. Raises AwsError.

    Where the item does not exist yet, removing from within an attribute is no error: AWS takes it so.
    """
    result = dict(item)
    deep: dict[str, list[Edit]] = {}
    for path, value in edits:
        name = str(path[0])
        if len(path) == 1:
            if value is None:
                result.pop(name, None)
            else:
                result[name] = value
        elif value is not None or exists:
            if value is not None and len(path) - 1 + depth(value) > DEEPEST:
                raise nested_too_deeply()
            deep.setdefault(name, []).append((path[1:], value))
    for name, inner in deep.items():
        if name not in item:
            raise _invalid_path()
        result[name] = _within(item[name], inner)
    return result


def _within(value: Value, edits: list[Edit]) -> Value:
    if isinstance(edits[0][0][0], str):
        if "M" not in value:
            raise _invalid_path()
        return {"M": _map(value["M"], edits)}
    if "L" not in value:
        raise _invalid_path()
    return {"L": _list(value["L"], edits)}


def _map(content: Item, edits: list[Edit]) -> Item:
    result = dict(content)
    for name, inner in _by_element(edits).items():
        if len(inner[0][0]) > 0:
            if name not in content:
                raise _invalid_path()
            result[name] = _within(content[name], inner)
        elif inner[0][1] is None:
            result.pop(name, None)
        else:
            result[name] = inner[0][1]
    return result


def _list(members: list[Value], edits: list[Edit]) -> list[Value]:
    result: list[Value | None] = list(members)
    for place, inner in sorted(_by_element(edits).items()):
        if len(inner[0][0]) > 0:
            if place >= len(members):
                raise _invalid_path()
            result[place] = _within(members[place], inner)
        elif place < len(members):
            result[place] = inner[0][1]
        elif inner[0][1] is not None:
            result.append(inner[0][1])
    return [member for member in result if member is not None]


def _by_element(edits: list[Edit]) -> dict[Any, list[Edit]]:
    """Return edits by the first element of their paths, each with the rest of its path."""
    grouped: dict[Any, list[Edit]] = {}
    for path, value in edits:
        grouped.setdefault(path[0], []).append((path[1:], value))
    return grouped


def _invalid_path() -> AwsError:
    return validation("The document path provided in the update expression is invalid for update")
