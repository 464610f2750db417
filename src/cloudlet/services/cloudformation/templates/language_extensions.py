"""The transform AWS::LanguageExtensions: loops become what they stand for before anything else is looked at.

Its functions that give values (Fn::Length, Fn::ToJsonString, defaults of Fn::FindInMap) are evaluated with all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudlet.services.cloudformation import errors

NAME: Final = "AWS::LanguageExtensions"
_LOOP: Final = "Fn::ForEach::"
MAX_LOOP_DEPTH_LEVELS: Final = 5
_NOT_ALPHANUMERIC: Final = re.compile(r"[^A-Za-z0-9]")
Resolve = Callable[[Any], Any]


def expand_loops(raw: Mapping[str, Any], resolve: Resolve) -> dict[str, Any]:
    """Return a template without loops. `resolve` evaluates the functions that give collections. Raises AwsError."""
    return {name: _expand(section, {}, resolve, 0) for name, section in raw.items()}


def _expand(value: Any, bound: Mapping[str, str], resolve: Resolve, depth: int) -> Any:
    if isinstance(value, dict):
        if bound and len(value) == 1 and isinstance(value.get("Ref"), str) and value["Ref"] in bound:
            return bound[value["Ref"]]
        expanded: dict[str, Any] = {}
        for key, item in value.items():
            if key.startswith(_LOOP):
                expanded.update(_expand_loop(key, item, bound, resolve, depth + 1))
            else:
                expanded[_substitute(key, bound)] = _expand(item, bound, resolve, depth)
        return expanded
    if isinstance(value, list):
        return [_expand(item, bound, resolve, depth) for item in value]
    return _substitute(value, bound) if isinstance(value, str) else value


def _expand_loop(key: str, argument: Any, bound: Mapping[str, str], resolve: Resolve, depth: int) -> dict[str, Any]:
    if depth > MAX_LOOP_DEPTH_LEVELS:
        raise errors.make_template_error(f"Fn::ForEach may be nested {MAX_LOOP_DEPTH_LEVELS} levels deep at most")
    if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[2], dict):
        raise errors.make_template_error(
            f"{key} could not be resolved: Fn::ForEach requires an identifier, a collection and an output"
        )
    name, collection, body = argument
    items = _list_items(_expand(collection, bound, resolve, depth), resolve)
    if not isinstance(name, str) or not isinstance(items, list):
        raise errors.make_template_error(f"{key} could not be resolved: its collection is no list of strings")
    made: dict[str, Any] = {}
    for item in items:
        made.update(_expand(body, {**bound, name: str(item)}, resolve, depth))
    return made


def _list_items(collection: Any, resolve: Resolve) -> Any:
    if not isinstance(collection, list):
        return resolve(collection)
    items: list[Any] = []
    for one in collection:
        resolved = resolve(one)
        items += resolved if isinstance(resolved, list) else [resolved]
    return items


def _substitute(text: str, bound: Mapping[str, str]) -> str:
    """Return a text with the identifiers of loops replaced.

    `&{…}` leaves out what names may not contain.
    """
    for name, item in bound.items():
        text = text.replace(f"${{{name}}}", item).replace(f"&{{{name}}}", _NOT_ALPHANUMERIC.sub("", item))
    return text
