"""Event patterns, of rules and of filters of pipes. User guide, "Amazon EventBridge event patterns".

Every property of a pattern must hold. An array holds the alternatives for a property; an event's array matches where
one of its elements does. Properties below an array of objects must hold for one and the same of these objects. As
Event Ruler has it, a name with dots is a path: `a.b` is the same, in a pattern as in an event, as `b` in `a`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from cloudlet.core.aws.event_pattern_values import RESERVED, check_single, exact, first_of, operator
from cloudlet.core.aws.event_ruler import NOT_ASKED, Path, PatternError, Test, Whole
from cloudlet.core.aws.json_depth import is_deeper

_CHARACTERS: Final = 4096
_COMBINATIONS: Final = 1000
_LEVELS: Final = 100
_TOO_DEEP: Final = f"it is nested more than {_LEVELS} levels deep"
_OR: Final = "$or"
Matcher: TypeAlias = "Callable[[Any, Whole], bool]"
"""Whether a part of an event (None where there is none) and the whole event match."""


class Pattern:
    """A compiled pattern."""

    __slots__ = ("_asks_for_absence", "_matches", "sources")

    def __init__(self, document: dict[str, Any]) -> None:
        self._matches = _object(document.items(), ()).matches
        self._asks_for_absence = _asks_for_absence(document)
        self.sources = frozenset(document["source"]) if _is_literal(document.get("source")) else None
        """The only sources of events that it matches; None where it asks for other than exact ones."""

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether an event, as its JSON says, matches."""
        return self._matches(event, Whole(event, _lacks) if self._asks_for_absence else NOT_ASKED)


def compile(text: str) -> Pattern:
    """Return the pattern of a JSON text. Raises PatternError."""
    if len(text) > _CHARACTERS:
        raise PatternError(f"it is longer than {_CHARACTERS} characters")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise PatternError("Filter is not an object")
    if is_deeper(document, _LEVELS):
        raise PatternError(_TOO_DEEP)
    if _combinations(document) > _COMBINATIONS:
        raise PatternError(f"The $or combinations exceed the limit of {_COMBINATIONS}")
    return Pattern(document)


def _asks_for_absence(document: Any) -> bool:
    """Whether a part of a pattern may hold where something is not there."""
    if isinstance(document, dict):
        return document.get("exists") is False or any(map(_asks_for_absence, document.values()))
    return isinstance(document, list) and any(map(_asks_for_absence, document))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _is_or(name: str, value: Any) -> bool:
    """Whether a property is the operator `$or`, and no property that is called so."""
    return (
        name == _OR
        and isinstance(value, list)
        and len(value) > 1
        and all(isinstance(each, dict) and RESERVED.isdisjoint(each) for each in value)
    )


def _is_literal(value: Any) -> bool:
    """Whether a property is to be one of some strings."""
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _combinations(document: Any) -> int:
    """Return how many patterns without `$or` a pattern stands for."""
    if not isinstance(document, dict):
        return 1
    count = 1
    for name, value in document.items():
        count *= sum(map(_combinations, value)) if _is_or(name, value) else _combinations(value)
    return count


class _Object(NamedTuple):
    """The tests of an object's properties."""

    matches: Matcher
    names: frozenset[str]
    """Theirs."""


def _object(document: Iterable[tuple[str, Any]], path: Path) -> _Object:
    """Return what is asked of properties, of which several may begin with one name. Raises PatternError."""
    if len(path) > _LEVELS:
        raise PatternError(_TOO_DEEP)
    leaves: dict[str, Any] = {}
    within: dict[str, list[tuple[str, Any]]] = {}
    choices: list[list[_Object]] = []
    for name, value in document:
        first, dot, rest = name.partition(".")
        if _is_or(name, value):
            choices.append([_object(each.items(), path) for each in value])
        elif dot:
            within.setdefault(first, []).append((rest, value))
        elif isinstance(value, dict):
            within.setdefault(name, []).extend(value.items())
        else:
            leaves[name] = value
    if not (leaves or within or choices):
        raise PatternError("Empty objects are not allowed")
    # What is quickest to tell comes first.
    ordered = sorted(leaves.items(), key=lambda item: not _is_literal(item[1]))
    properties = [(name, _property(name, value, (*path, name))) for name, value in ordered]
    nested = [(name, f"{name}.", _object(inner, (*path, name))) for name, inner in within.items()]
    shared = [_either([each.matches for each in alternatives]) for alternatives in choices]

    def matches(part: Any, whole: Whole) -> bool:
        if isinstance(part, list):
            # Absence is asked of the event as a whole, so that it may also hold where the array is empty.
            return any(matches(element, whole) for element in list(_elements(part)) or (None,))
        inner = part if isinstance(part, dict) else {}
        # Plain loops: each event goes through them for each rule.
        for name, test in properties:
            if not test(inner.get(name, _MISSING), whole):
                return False
        for name, prefix, asked in nested:
            found = inner.get(name, _MISSING)
            # The quickest way to tell that no name begins so, as nearly always.
            if prefix in " ".join(inner):
                found = _joined(found, inner, prefix, asked.names)
            if not asked.matches(found, whole):
                return False
        return not shared or all(test(inner, whole) for test in shared)

    inner_names = [each.names for alternatives in choices for each in alternatives]
    return _Object(matches, frozenset(leaves).union(within, *inner_names))


def _joined(part: Any, outer: dict[str, Any], prefix: str, names: frozenset[str]) -> list[dict[str, Any]]:
    """Return the objects at a property, each with what is outside of it under names that begin with `a.`.

    Only properties with some names are wanted of the latter: there may be very many of both.
    """
    values: dict[str, Any] = {}
    objects: dict[str, dict[str, Any]] = {}
    for key, value in outer.items():
        if key.startswith(prefix):
            first, dot, rest = key[len(prefix) :].partition(".")
            if first in names and dot:
                objects.setdefault(first, {})[rest] = value
            elif first in names:
                values[first] = value
    joined = [dict(each) for each in _elements(part) if isinstance(each, dict)] or [{}]
    for each in joined:
        for added in (values, objects):
            for name, more in added.items():
                each[name] = [each[name], more] if name in each else more
    return joined


class _Missing:
    """What stands where an event has nothing."""


_MISSING: Final = _Missing()


def _either(matchers: list[Matcher]) -> Matcher:
    return lambda part, whole: any(matches(part, whole) for matches in matchers)


def _property(name: str, value: Any, path: Path) -> Matcher:
    """Return the matcher of a property that has values."""
    if not isinstance(value, list):
        raise PatternError(f'"{name}" must be an object or an array')
    if not value:
        raise PatternError("Empty arrays are not allowed")
    present = absent = False
    tests: list[Test] = []
    for alternative in value:
        if isinstance(alternative, dict):
            operation, operand = first_of(alternative, "Match expression name not found")
            if operation == "exists":
                if not isinstance(operand, bool):
                    raise PatternError("exists match pattern must be either true or false.")
                present, absent = present or operand, absent or not operand
            else:
                tests.append(operator(operation, operand))
            check_single(alternative)
        elif not isinstance(alternative, str):
            tests.append(exact(alternative))
    literals = frozenset(each for each in value if isinstance(each, str))
    only_literals = not tests
    holds = tests[0] if len(tests) == 1 else lambda leaf: any(test(leaf) for test in tests)

    def matches(part: Any, whole: Whole) -> bool:
        if type(part) is str:
            # It stands there, so that absence need not be asked for.
            return part in literals or present or (not only_literals and holds(part))
        if part is _MISSING:
            return absent and whole.lacks(path)
        for leaf in _leaves(part):
            if present or (type(leaf) is str and leaf in literals) or holds(leaf):
                return True
        return absent and whole.lacks(path)

    return matches


def _elements(part: Any) -> Iterator[Any]:
    """Yield what stands somewhere: one thing, or the elements of an array and of the arrays within."""
    waiting = [part]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += reversed(found)
        else:
            yield found


def _leaves(part: Any) -> Iterator[Any]:
    """Yield the values that stand somewhere: one, those of an array, or none."""
    return (each for each in _elements(part) if each is not _MISSING and not isinstance(each, dict))


def _lacks(event: dict[str, Any], path: Path) -> bool:
    return not any(True for _ in _at(event, path))


def _at(part: Any, path: Path) -> Iterator[Any]:
    """Yield the values at a path, through arrays."""
    if not path:
        yield from _leaves(part)
        return
    for element in _elements(part):
        if isinstance(element, dict):
            if path[0] in element:
                yield from _at(element[path[0]], path[1:])
            for name in element:
                steps = tuple(name.split("."))
                if len(steps) > 1 and path[: len(steps)] == steps:
                    yield from _at(element[name], path[len(steps) :])
