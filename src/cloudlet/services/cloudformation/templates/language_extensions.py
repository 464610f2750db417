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
MAX_MADE_CHARACTERS: Final = 4_000_000
"""Characters that loops may make: each of five multiplies what is in it."""
_VARIABLE: Final = re.compile(r"([$&])\{([^{}]*)\}")
_NOT_ALPHANUMERIC: Final = re.compile(r"[^A-Za-z0-9]")
Resolve = Callable[[Any], Any]


def expand_loops(raw: Mapping[str, Any], resolve: Resolve) -> dict[str, Any]:
    """Return a template without loops. `resolve` evaluates the functions that give collections. Raises AwsError."""
    loops = _Loops(resolve)
    return {name: loops.expand(section, {}, 0) for name, section in raw.items()}


class _Loops:
    """The loops of a template, and how much they have made."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._made_characters = 0

    def expand(self, value: Any, bound: Mapping[str, str], depth: int) -> Any:
        """Return a part of a template without loops, whose identifiers are bound to items."""
        if isinstance(value, dict):
            if bound and len(value) == 1 and isinstance(value.get("Ref"), str) and value["Ref"] in bound:
                return self._count_made(bound[value["Ref"]])
            expanded: dict[str, Any] = {}
            for key, item in value.items():
                if key.startswith(_LOOP):
                    expanded.update(self._expand_loop(key, item, bound, depth + 1))
                else:
                    expanded[self._substitute(key, bound)] = self.expand(item, bound, depth)
            return expanded
        if isinstance(value, list):
            return [self.expand(item, bound, depth) for item in value]
        return self._substitute(value, bound) if isinstance(value, str) else value

    def _expand_loop(self, key: str, argument: Any, bound: Mapping[str, str], depth: int) -> dict[str, Any]:
        if depth > MAX_LOOP_DEPTH_LEVELS:
            raise errors.make_template_error(f"Fn::ForEach may be nested {MAX_LOOP_DEPTH_LEVELS} levels deep at most")
        if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[2], dict):
            raise errors.make_template_error(
                f"{key} could not be resolved: Fn::ForEach requires an identifier, a collection and an output"
            )
        name, collection, body = argument
        items = self._list_items(self.expand(collection, bound, depth))
        if not isinstance(name, str) or items is None:
            raise errors.make_template_error(f"{key} could not be resolved: its collection is no list of strings")
        made: dict[str, Any] = {}
        for item in items:
            made.update(self.expand(body, {**bound, name: item}, depth))
        return made

    def _list_items(self, collection: Any) -> list[str] | None:
        """Return the items of a collection; None where they are no texts and numbers."""
        found: list[Any] = []
        for one in collection if isinstance(collection, list) else [collection]:
            resolved = self._resolve(one)
            if not isinstance(resolved, list) and not isinstance(collection, list):
                return None
            found += resolved if isinstance(resolved, list) else [resolved]
        return [str(item) for item in found] if all(isinstance(item, str | int | float) for item in found) else None

    def _substitute(self, text: str, bound: Mapping[str, str]) -> str:
        """Return a text with the identifiers of loops replaced.

        `&{…}` leaves out what names may not contain.
        """
        if not bound:
            return text

        def replace(found: re.Match[str]) -> str:
            item = bound.get(found[2])
            if item is None:
                return found[0]
            return item if found[1] == "$" else _NOT_ALPHANUMERIC.sub("", item)

        return self._count_made(_VARIABLE.sub(replace, text))

    def _count_made(self, text: str) -> str:
        """Return a text that a loop has made. Raises AwsError where that is too much with all before."""
        self._made_characters += 16 + len(text)
        if self._made_characters > MAX_MADE_CHARACTERS:
            raise errors.make_template_error(f"Fn::ForEach makes more than {MAX_MADE_CHARACTERS} characters")
        return text
