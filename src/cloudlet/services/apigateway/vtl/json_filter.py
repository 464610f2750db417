"""Filters of JSON paths: `[?(@.price < 10 && @.category == 'fiction')]`.

What a filter compares are names below an element (`@.a.b`, `@['a']`) with texts, numbers, true, false and null; a name
alone asks whether it is there. `&&` binds closer than `||`; there are no parentheses within.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from cloudlet.services.apigateway.vtl.error import VtlError
from cloudlet.services.apigateway.vtl.values import compared, is_number

_TERM = re.compile(
    r"\s*(?P<negated>!)?\s*@(?P<path>(?:\.[\w-]+|\['[^']*'\]|\[\"[^\"]*\"\])*)"
    r"(?:\s*(?P<operator>==|!=|<=|>=|<|>)\s*(?P<literal>'[^']*'|\"[^\"]*\"|-?\d{1,15}(?:\.\d{1,15})?|true|false|null))?\s*"
)
_NAME = re.compile(r"\.([\w-]+)|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_ABSENT: Any = object()


class _Term(NamedTuple):
    names: tuple[str, ...]
    operator: str
    """Empty: whether it is there."""
    literal: Any
    is_negated: bool

    def holds(self, element: Any) -> bool:
        for name in self.names:
            element = element.get(name, _ABSENT) if isinstance(element, dict) else _ABSENT
        if not self.operator:
            return (element is not _ABSENT) != self.is_negated
        return _compared(self.operator, element, self.literal) != self.is_negated


def _compared(operator: str, left: Any, right: Any) -> bool:
    if operator in ("==", "!="):
        same = type(left) is type(right) or (is_number(left) and is_number(right))
        return (same and left == right) == (operator == "==")
    return bool(compared(operator, left, right))


class Filter:
    """A filter that was read: some of its groups of terms has to hold as a whole."""

    def __init__(self, text: str) -> None:
        """`text` is what is between the parentheses. Raises VtlError."""
        self._groups: list[list[_Term]] = [[]]
        at = 0
        while True:
            match = _TERM.match(text, at)
            if match is None:
                raise VtlError(f"the filter {text!r} of a JSON path is not supported")
            self._groups[-1].append(_term(match))
            at = match.end()
            joint = text[at : at + 2]
            if at == len(text):
                return
            if joint == "||":
                self._groups.append([])
            elif joint != "&&":
                raise VtlError(f"the filter {text!r} of a JSON path is not supported")
            at += 2

    @property
    def size(self) -> int:
        """How many terms it has."""
        return sum(map(len, self._groups))

    def admits(self, element: Any) -> bool:
        """Whether an element is among what is wanted."""
        return any(all(term.holds(element) for term in group) for group in self._groups)


def _term(match: re.Match[str]) -> _Term:
    names = tuple("".join(found) for found in _NAME.findall(match["path"]))
    literal = match["literal"]
    value: Any = None
    if literal is not None:
        value = literal[1:-1] if literal[0] in "'\"" else msgspec.json.decode(literal)
    return _Term(names, match["operator"] or "", value, match["negated"] is not None)
