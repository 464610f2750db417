"""Comparing a value with what stands in a condition: text with wildcards, a number, a regular expression."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cloudlet.services.logs.patterns import numbers
from cloudlet.services.logs.patterns.problems import PatternProblem
from cloudlet.services.logs.patterns.regex import Regex

_SAFE = re.compile(r"[A-Za-z0-9 _.:@#;,=+-]+")
"""Text that is written in JSON as it is, or with \\u."""

Test = Callable[[Any], bool]
Operand = str | float | Regex


class Comparison:
    """An operator and what is on its right."""

    def __init__(self, operator: str, operand: Operand) -> None:
        """Raises PatternProblem."""
        if operator not in ("=", "!=") and not isinstance(operand, int | float):
            raise PatternProblem(f"{operator} takes a number")
        self.operator = operator
        self.operand = operand

    @property
    def regexes(self) -> int:
        return int(isinstance(self.operand, Regex))

    def test(self) -> Test:
        """Return what tells whether a value (of JSON, or a text) fits."""
        operand = self.operand
        if isinstance(operand, int | float):
            return _of_number(self.operator, operand)
        if isinstance(operand, str):
            equal: Test = _of_text(operand)
        else:

            def equal(value: Any) -> bool:
                return isinstance(value, str) and operand.is_in(value)

        return equal if self.operator == "=" else lambda value: not equal(value)

    def pieces(self) -> list[str]:
        """Return what has to be somewhere in a text that fits."""
        if self.operator != "=" or not isinstance(self.operand, str):
            return []
        return [piece for piece in self.operand.split("*") if piece]

    def number_form(self) -> str | None:
        """Return a regular expression for numbers that may fit; None where it would rule nothing out."""
        return numbers.form(self.operator, self.operand) if isinstance(self.operand, int | float) else None

    def needed(self) -> list[bytes]:
        """Return what has to be somewhere in a message of JSON that fits, if it has no \\u."""
        return [piece.encode() for piece in self.pieces() if _SAFE.fullmatch(piece)]


def _of_number(operator: str, number: float) -> Test:
    compare: dict[str, Callable[[float], bool]] = {
        "=": lambda value: value == number,
        "!=": lambda value: value != number,
        ">": lambda value: value > number,
        ">=": lambda value: value >= number,
        "<": lambda value: value < number,
        "<=": lambda value: value <= number,
    }
    chosen = compare[operator]

    def test(value: Any) -> bool:
        if isinstance(value, str):
            written = numbers.read(value)
            return operator == "!=" if written is None else chosen(written)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return operator == "!="
        return chosen(value)

    return test


def _of_text(text: str) -> Test:
    if "*" not in text:
        return lambda value: to_api(value) == text
    head, *middle, tail = text.split("*")

    def fits(value: Any) -> bool:
        whole = to_api(value)
        if whole is None or len(whole) < len(head) + len(tail):
            return False
        if not whole.startswith(head) or not whole.endswith(tail):
            return False
        at, end = len(head), len(whole) - len(tail)
        for piece in middle:
            at = whole.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return fits


def to_api(value: Any) -> str | None:
    """Return a value as text; None for null, objects and arrays."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    return None
