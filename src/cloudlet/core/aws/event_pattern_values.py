"""What an event pattern asks of one value: exact values and comparison operators.

User guide, "Comparison operators for use in event patterns". Where it is silent, the rules and the words of the errors
are those of AWS's Event Ruler, the library that EventBridge matches with (https://github.com/aws/event-ruler).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cloudlet.core.aws.event_ruler import PatternError, Test, cidr, equals_ignore_case, is_number, text, wildcard

_LARGEST = 5e9
_DIGITS = 6
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def exact(wanted: Any) -> Test:
    """Return the test of a literal: a string, a number, true, false or null."""
    if wanted is None or isinstance(wanted, bool):
        return lambda value: value is wanted
    if isinstance(wanted, str):
        return lambda value: type(value) is str and value == wanted
    if isinstance(wanted, int | float):
        number = _rounded(wanted)
        return lambda value: is_number(value) and _rounded(value) == number
    raise PatternError("Match value must be String, number, true, false, or null")


def operator(name: str, operand: Any) -> Test:
    """Return the test of an operator, of all but `exists`. Raises PatternError."""
    compiled = _OPERATORS.get(name)
    if compiled is None:
        raise PatternError(f"Unrecognized match type {name}")
    return compiled(operand)


def _rounded(number: float) -> float:
    """Return a number with the digits that are looked at; beyond the range of numbers, as it is."""
    return round(number, _DIGITS) if -_LARGEST <= number <= _LARGEST else number


def _affix(name: str, holds: Callable[[str, str], bool]) -> Callable[[Any], Test]:
    """Return `prefix` or `suffix`, either of which may ignore case."""

    def compiled(operand: Any) -> Test:
        if isinstance(operand, dict):
            inner, given = first_of(operand, f"{name.capitalize()} expression name not found")
            if inner != "equals-ignore-case":
                raise PatternError(f"Unsupported {name} pattern: {inner}")
            folded = text(given, inner).lower()
            check_single(operand)
            return lambda value: type(value) is str and holds(value.lower(), folded)
        affix = text(operand, name)
        return lambda value: type(value) is str and holds(value, affix)

    return compiled


def first_of(expression: dict[str, Any], missing: str) -> tuple[str, Any]:
    """Return the first operator of an expression and its operand. Raises PatternError where there is none."""
    for name, operand in expression.items():
        return name, operand
    raise PatternError(missing)


def check_single(expression: dict[str, Any], more: str = "Only one key allowed in match expression") -> None:
    """Raise PatternError for an expression of several operators."""
    if len(expression) > 1:
        raise PatternError(more)


def _anything_but(operand: Any) -> Test:
    """Admit whatever is not denied, of any type."""
    inner = ""
    given = operand
    if isinstance(operand, dict):
        inner, given = first_of(operand, "Anything-But expression name not found")
        if inner not in _DENIED_TEXTS:
            raise PatternError(f"Unsupported anything-but pattern: {inner}")
    if not isinstance(given, list | str) and not is_number(given):
        raise PatternError("Value of anything-but must be an array or single string/number value.")
    denied = given if isinstance(given, list) else [given]
    if inner:
        tests = [operator(inner, value) for value in _checked_texts(inner, denied)]
    else:
        tests = [exact(value) for value in _checked_values(denied)]
    if isinstance(operand, dict):
        check_single(operand, _TOO_MANY)
    return lambda value: not any(test(value) for test in tests)


def _checked_texts(inner: str, denied: list[Any]) -> list[str]:
    """Return the operands of an operator within `anything-but`. Raises PatternError."""
    if not denied:
        raise PatternError("Empty arrays are not allowed")
    if not all(isinstance(value, str) for value in denied):
        raise PatternError(_DENIED_TEXTS[inner])
    if inner in ("prefix", "suffix") and "" in denied:
        raise PatternError("Null prefix/suffix not allowed")
    return denied


def _checked_values(denied: list[Any]) -> list[str | float]:
    """Return the values of `anything-but`. Raises PatternError."""
    if not all(isinstance(value, str) or is_number(value) for value in denied):
        raise PatternError("Inside anything but list, start|null|boolean is not supported.")
    if len({isinstance(value, str) for value in denied}) != 1:
        raise PatternError(
            "Inside anything but list, either all values are number or string, mixed type is not supported"
        )
    return denied


_TOO_MANY = "Too many elements in numeric expression"
_AFFIX_TEXT = "prefix/suffix match pattern must be a string"
_DENIED_TEXTS = {
    "prefix": _AFFIX_TEXT,
    "suffix": _AFFIX_TEXT,
    "equals-ignore-case": "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
    "wildcard": "wildcard match pattern must be a string",
}
"""The operators that `anything-but` may deny, and the errors for operands of theirs that are no texts."""


def _numeric(operand: Any) -> Test:
    """Compare with one bound, or with a lower and an upper one."""
    if not isinstance(operand, list):
        raise PatternError("Value of numeric must be an array.")
    name = operand[0] if operand else None
    if not isinstance(name, str):
        raise PatternError(f"Invalid member in numeric match: {_shown(operand, 0)}")
    if name not in _COMPARISONS:
        raise PatternError(f"Unrecognized numeric range operator: {name}")
    bound = _bound(operand, 1, "equals" if name == "=" else name)
    comparisons = [(_COMPARISONS[name], bound)]
    if len(operand) > 2:
        if name not in (">", ">="):
            raise PatternError(_TOO_MANY)
        upper = operand[2]
        if not isinstance(upper, str):
            raise PatternError(f"Bad value in numeric range: {_shown(operand, 2)}")
        if upper not in ("<", "<="):
            raise PatternError(f"Bad numeric range operator: {upper}")
        top = _bound(operand, 3, upper)
        if len(operand) > 4:
            raise PatternError("Too many terms in numeric range expression")
        if bound >= top:
            raise PatternError("Bottom must be less than top")
        comparisons.append((_COMPARISONS[upper], top))

    def test(value: Any) -> bool:
        if not is_number(value) or not -_LARGEST <= value <= _LARGEST:
            return False
        number = _rounded(value)
        return all(holds(number, bound) for holds, bound in comparisons)

    return test


def _shown(operand: list[Any], at: int) -> str:
    """Return an element of a numeric expression as Event Ruler's errors show it, or the end of that."""
    if at >= len(operand):
        return "]"
    element = operand[at]
    return "[" if isinstance(element, list) else "{" if isinstance(element, dict) else json.dumps(element)


def _bound(operand: list[Any], at: int, name: str) -> float:
    """Return a bound of a numeric expression. Raises PatternError."""
    value: Any = operand[at] if at < len(operand) else None
    if not is_number(value):
        raise PatternError(f"Value of {name} must be numeric")
    if not -_LARGEST <= value <= _LARGEST:
        raise PatternError("Value must be between -5.0E9 and 5.0E9, inclusive")
    return _rounded(value)


_OPERATORS: dict[str, Callable[[Any], Test]] = {
    "prefix": _affix("prefix", str.startswith),
    "suffix": _affix("suffix", str.endswith),
    "equals-ignore-case": equals_ignore_case,
    "wildcard": wildcard,
    "cidr": cidr,
    "anything-but": _anything_but,
    "numeric": _numeric,
}

RESERVED = frozenset((*_OPERATORS, "exists"))
"""Names that are no properties where they stand alone within `$or`."""
