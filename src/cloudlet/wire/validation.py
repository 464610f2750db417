"""The model's constraints, compiled to functions over parsed parameters.

A check appends what is wrong to a list. Shapes with nothing to check have no function at all, so that walking a
large request costs only where there is something to find. AWS's wording is kept to the letter, including that a
violation by an element is reported at its list ("Member must satisfy constraint: […]").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf
from typing import Any, Final

from cloudlet.wire.errors import InvalidRequest, Violation, validation_message
from cloudlet.wire.patterns import translate
from cloudlet.wire.shapes import Ref, Shape

Check = Callable[[Any, str, str, list[Violation]], None]
"""Called with the value, its path, its top-level member and the list of violations to extend."""

Constraint = tuple[str, Any, str, Callable[[Any], bool]]
"""A kind, a limit, AWS's sentence, and whether a value satisfies it."""

_SIZED: Final = ("string", "blob", "list", "map")
_NUMERIC: Final = ("byte", "short", "integer", "long", "float", "double")
_SEARCHED: Final = 256
"""A text of up to so many characters is held against its pattern even where it is too long."""
_SAY_NOT_NULL: Final = frozenset(("lambda",))
"""Services whose messages about lists also say that no element may be null, as AWS was recorded to answer."""
_MOST: Final = 100
"""Where as many violations are found, no more are looked for in lists and maps: a large request may have a million."""


def label(name: str) -> str:
    """Return a member's name as AWS's validation messages write it."""
    return name[:1].lower() + name[1:]


def constraints_of(ref: Ref) -> list[Constraint]:
    """Return the constraints on a value itself, not on what it contains, in the order of AWS's messages."""
    shape = ref.shape
    low, high = shape.minimum, shape.maximum
    found: list[Constraint] = []
    if shape.kind in _SIZED:
        if high is not None:
            text = f"Member must have length less than or equal to {high}"
            found.append(("max_length", high, text, lambda value: len(value) <= high))
        if low:
            text = f"Member must have length greater than or equal to {low}"
            found.append(("min_length", low, text, lambda value: len(value) >= low))
    elif shape.kind in _NUMERIC:
        if high is not None:
            text = f"Member must have value less than or equal to {high}"
            found.append(("max", high, text, lambda value: value <= high))
        if low is not None:
            text = f"Member must have value greater than or equal to {low}"
            found.append(("min", low, text, lambda value: value >= low))
    if shape.kind == "string":
        if ref.enum:
            allowed = frozenset(ref.enum)
            text = f"Member must satisfy enum value set: [{', '.join(ref.enum)}]"
            found.append(("enum", ref.enum, text, lambda value: value in allowed))
        elif shape.pattern and (translated := translate(shape.pattern)):
            search = re.compile(translated).search
            longest: float = inf if high is None else max(high, _SEARCHED)

            def satisfied(value: Any) -> bool:
                # What is much too long is refused for that: some patterns take the cube of its length.
                return len(value) > longest or search(value) is not None

            text = f"Member must satisfy regular expression pattern: {shape.pattern}"
            found.append(("pattern", shape.pattern, text, satisfied))
    return found


class Validator:
    """The checks of one service's shapes; each is compiled once."""

    def __init__(self, service: str = "") -> None:
        self._says_not_null = service in _SAY_NOT_NULL
        self._contents: dict[str, Check | None] = {}
        self._compiling: set[str] = set()

    def compile(self, ref: Ref) -> Callable[[dict[str, Any]], list[Violation]]:
        """Return the function that finds what is wrong with the parameters of an operation."""
        required = [(name, label(name)) for name in ref.shape.required]
        checks = [
            (name, label(name), check)
            for name, member in ref.shape.members.items()
            if (check := self._check(member)) is not None
        ]

        def violations(params: dict[str, Any]) -> list[Violation]:
            found: list[Violation] = []
            for name, path in required:
                if name not in params:
                    found.append(_missing(path, name))
            for name, path, check in checks:
                if name in params:
                    check(params[name], path, name, found)
            return found

        return violations

    def _check(self, ref: Ref) -> Check | None:
        """Return the check of a value and of what it contains."""
        own = constraints_of(ref)
        inner = self._content_check(ref.shape)
        if not own:
            return inner
        is_sensitive = _is_sensitive(ref.shape)

        def check(value: Any, path: str, member: str, found: list[Violation]) -> None:
            for kind, limit, text, satisfied in own:
                if not satisfied(value):
                    found.append(Violation(path, kind, value, limit, member, text, is_sensitive))
            if inner is not None:
                inner(value, path, member, found)

        return check

    def _content_check(self, shape: Shape) -> Check | None:
        name = shape.name
        if name in self._contents:
            return self._contents[name]
        if shape.kind not in ("structure", "list", "map") or shape.is_document:
            return None
        if name in self._compiling:
            # The shape contains itself: find its check when it is needed.
            def later(value: Any, path: str, member: str, found: list[Violation]) -> None:
                check = self._contents[name]
                if check is not None:
                    check(value, path, member, found)

            return later
        self._compiling.add(name)
        compiled = {"structure": self._structure, "list": self._list, "map": self._map}[shape.kind](shape)
        self._compiling.discard(name)
        self._contents[name] = compiled
        return compiled

    def _structure(self, shape: Shape) -> Check | None:
        required = [(name, label(name)) for name in shape.required]
        checks = [
            (name, label(name), check)
            for name, member in shape.members.items()
            if (check := self._check(member)) is not None
        ]
        if not required and not checks:
            return None

        def check_structure(value: Any, path: str, member: str, found: list[Violation]) -> None:
            for name, part in required:
                if name not in value:
                    found.append(_missing(f"{path}.{part}", member))
            for name, part, check in checks:
                if name in value:
                    check(value[name], f"{path}.{part}", member, found)

        return check_structure

    def _list(self, shape: Shape) -> Check | None:
        own = constraints_of(shape.element)
        inner = self._content_check(shape.element.shape)
        if not own and inner is None:
            return None
        texts = [text for _, _, text, _ in own] + ["Member must not be null"] * self._says_not_null
        summary = f"Member must satisfy constraint: [{', '.join(texts)}]"
        is_sensitive = _is_sensitive(shape, shape.element.shape)

        def check_list(value: Any, path: str, member: str, found: list[Violation]) -> None:
            if own and (broken := _first_broken(value, own)):
                found.append(Violation(path, broken[0], value, broken[1], member, summary, is_sensitive))
            if inner is not None:
                for number, item in enumerate(value, 1):
                    if item is not None:
                        inner(item, f"{path}.{number}.member", member, found)
                        if len(found) >= _MOST:
                            return

        return check_list

    def _map(self, shape: Shape) -> Check | None:
        keys, values = constraints_of(shape.key), constraints_of(shape.value)
        inner = self._content_check(shape.value.shape)
        if not keys and not values and inner is None:
            return None
        is_sensitive = _is_sensitive(shape, shape.key.shape, shape.value.shape)
        about_keys = f"Map keys must satisfy constraint: [{', '.join(text for _, _, text, _ in keys)}]"
        about_values = f"Map value must satisfy constraint: [{', '.join(text for _, _, text, _ in values)}]"

        def check_map(value: Any, path: str, member: str, found: list[Violation]) -> None:
            if keys and (broken := _first_broken(value, keys)):
                found.append(Violation(path, broken[0], value, broken[1], member, about_keys, is_sensitive))
            if values and (broken := _first_broken(value.values(), values)):
                found.append(Violation(path, broken[0], value, broken[1], member, about_values, is_sensitive))
            if inner is not None:
                for key, item in value.items():
                    if item is not None:
                        inner(item, f"{path}.{key}.member", member, found)
                        if len(found) >= _MOST:
                            return

        return check_map


def _is_sensitive(*shapes: Shape) -> bool:
    """Whether the model says of a shape, or of what is in it, that its values are not to be shown."""
    return any(shape.raw.get("sensitive", False) for shape in shapes)


def _first_broken(values: Any, constraints: list[Constraint]) -> Constraint | None:
    for value in values:
        if value is not None:
            for constraint in constraints:
                if not constraint[3](value):
                    return constraint
    return None


def _missing(path: str, member: str) -> Violation:
    return Violation(path, "required", None, None, member, "Member must not be null")


def invalid(violations: list[Violation]) -> InvalidRequest:
    """Return the error about violations as JSON, CBOR and REST services answer it."""
    return InvalidRequest("ValidationException", validation_message(violations), violations)
