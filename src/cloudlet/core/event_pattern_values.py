"""What an event pattern asks of one value: exact values and comparison operators.

User guide, "Comparison operators for use in event patterns". Where it is silent, the rules and the words of the errors
are those of AWS's Event Ruler, the library that EventBridge matches with (https://github.com/aws/event-ruler).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudlet.core.event_ruler import PatternError, Test, cidr, equals_ignore_case, is_number, text, wildcard

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
            if list(operand) != ["equals-ignore-case"]:
                raise PatternError(f"Unsupported {name} pattern: {next(iter(operand), '')}")
            folded = text(operand["equals-ignore-case"], "equals-ignore-case").lower()
            return lambda value: type(value) is str and holds(value.lower(), folded)
        affix = text(operand, name)
        return lambda value: type(value) is str and holds(value, affix)

    return compiled


def _anything_but(operand: Any) -> Test:
    """Admit whatever is not denied, of any type."""
    if isinstance(operand, dict):
        name, given = next(iter(operand.items()), ("", None))
        if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard") or len(operand) > 1:
            raise PatternError(f"Unsupported anything-but pattern: {name}")
        denied = given if isinstance(given, list) else [given]
        if not denied:
            raise PatternError("Empty arrays are not allowed")
        if name in ("prefix", "suffix") and "" in denied:
            raise PatternError("Null prefix/suffix not allowed")
        tests = [operator(name, value) for value in denied]
    else:
        denied = operand if isinstance(operand, list) else [operand]
        if not denied or not (
            all(isinstance(value, str) for value in denied) or all(is_number(value) for value in denied)
        ):
            raise PatternError(
                "Inside anything but list, either all values are number or string, mixed type is not supported"
            )
        tests = [exact(value) for value in denied]
    return lambda value: not any(test(value) for test in tests)


def _numeric(operand: Any) -> Test:
    """Compare with one bound, or with a lower and an upper one."""
    if not isinstance(operand, list) or not operand:
        raise PatternError("Value of numeric must be an array.")
    if len(operand) not in (2, 4):
        raise PatternError("Too many elements in numeric expression" if len(operand) > 2 else "Value must be numeric")
    bounds = [(operand[at], _bound(operand[at + 1])) for at in range(0, len(operand), 2)]
    for name, _ in bounds:
        if not isinstance(name, str) or name not in _COMPARISONS:
            raise PatternError(f"Unrecognized numeric range operator: {name}")
    if len(bounds) == 2:
        (first, bottom), (second, top) = bounds
        if first not in (">", ">=") or second not in ("<", "<="):
            raise PatternError(f"Bad numeric range operator: {second}")
        if bottom >= top:
            raise PatternError("Bottom must be less than top")
    comparisons = [(_COMPARISONS[name], bound) for name, bound in bounds]

    def test(value: Any) -> bool:
        if not is_number(value) or not -_LARGEST <= value <= _LARGEST:
            return False
        number = _rounded(value)
        return all(holds(number, bound) for holds, bound in comparisons)

    return test


def _bound(value: Any) -> float:
    if not is_number(value):
        raise PatternError("Value of numeric must be numeric")
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
