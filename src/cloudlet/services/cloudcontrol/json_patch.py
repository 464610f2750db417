"""JSON patches (RFC 6902): documents of operations that change a JSON value."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, Final

from cloudlet.services.cloudcontrol.json_text import check_depth, parse_json

_OPERATIONS: Final = frozenset({"add", "remove", "replace", "move", "copy", "test"})
MAX_DOCUMENT_CHARACTERS: Final = 262_144
"""API reference, "CreateResource": so long a desired state can be."""
_WITH_VALUE: Final = frozenset({"add", "replace", "test"})


class InvalidPatch(Exception):
    """A document that is no patch, or does not fit the value."""


def parse_patch(text: str) -> list[dict[str, Any]]:
    """Return the operations of a patch document. Raises InvalidPatch."""
    try:
        patch = parse_json(text)
    except ValueError as error:
        raise InvalidPatch(f"Patch document is no JSON: {error}") from None
    if not isinstance(patch, list) or not all(isinstance(one, dict) for one in patch):
        raise InvalidPatch("Patch document must be an array of operations")
    for one in patch:
        name = one.get("op")
        if name not in _OPERATIONS:
            raise InvalidPatch(f"Patch operation [{name}] is not supported")
        missing = [key for key in _list_members(name) if key not in one]
        if missing:
            raise InvalidPatch(f"Patch operation [{name}] requires [{', '.join(missing)}]")
    return patch


def _list_members(name: str) -> list[str]:
    return ["path", *(["value"] if name in _WITH_VALUE else ["from"] if name in ("move", "copy") else [])]


def apply_patch(value: Any, patch: list[dict[str, Any]]) -> Any:
    """Return a value after the operations of a patch, all or none. Raises InvalidPatch."""
    try:
        changed = _apply_all(deepcopy(value), patch)
        check_depth(changed)
    except (ValueError, RecursionError) as error:
        raise InvalidPatch(f"The document is no valid one any more: {error}") from None
    return changed


def _apply_all(changed: Any, patch: list[dict[str, Any]]) -> Any:
    for one in patch:
        if one["op"] == "copy":
            # Copies of copies grow without end.
            copied = json.dumps([changed, _find(changed, parse_pointer(one["from"]))])
            if len(copied) > MAX_DOCUMENT_CHARACTERS:
                raise InvalidPatch(f"The document becomes larger than {MAX_DOCUMENT_CHARACTERS} characters")
        changed = _apply(changed, one)
    return changed


def _apply(document: Any, one: dict[str, Any]) -> Any:
    path = parse_pointer(one["path"])
    match one["op"]:
        case "add":
            return _add(document, path, deepcopy(one["value"]))
        case "remove":
            return _remove(document, path)
        case "replace":
            return _replace(document, path, deepcopy(one["value"]))
        case "move":
            source = parse_pointer(one["from"])
            if path[: len(source)] == source and path != source:
                raise InvalidPatch(f"A value cannot be moved into itself: {one['path']}")
            moved = _find(document, source)
            return _add(_remove(document, source), path, moved)
        case "copy":
            return _add(document, path, deepcopy(_find(document, parse_pointer(one["from"]))))
        case _:
            if not _is_equal(_find(document, path), one["value"]):
                raise InvalidPatch(f"Test failed at path {one['path']}")
            return document


def _is_equal(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON, where true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def parse_pointer(pointer: Any) -> list[str]:
    """Return the steps of a JSON pointer (RFC 6901). Raises InvalidPatch."""
    if pointer == "":
        return []
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise InvalidPatch(f"Path {pointer} is no JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def _find(value: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list):
            value = value[_parse_index(step, len(value) - 1)]
        else:
            raise InvalidPatch(f"Path /{'/'.join(path)} does not exist")
    return value


def _parse_index(step: str, last: int) -> int:
    if not (step.isascii() and step.isdigit()) or (len(step) > 1 and step[0] == "0") or int(step) > last:
        raise InvalidPatch(f"Array index {step} is out of bounds")
    return int(step)


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _find(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _parse_index(last, len(parent)), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise InvalidPatch(f"Path /{'/'.join(path)} does not exist")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise InvalidPatch("The whole document cannot be removed")
    _find(document, path)
    parent, last = _find(document, path[:-1]), path[-1]
    del parent[int(last) if isinstance(parent, list) else last]
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    _find(document, path)
    parent, last = _find(document, path[:-1]), path[-1]
    parent[int(last) if isinstance(parent, list) else last] = value
    return document
