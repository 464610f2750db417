"""What a filter policy says of one property: the values that it may have.

The operators are those of the developer guide ("String value matching", "Numeric value matching", "Key matching").
Where the guide is silent, the rules and the words of the errors are those of AWS's Event Ruler, the library that SNS
matches with (https://github.com/aws/event-ruler).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cloudlet.core.event_ruler import PatternError, Test, cidr, equals_ignore_case, is_number, pieces, text, wildcard

Scalar: TypeAlias = "str | int | float | bool | None"

_LARGEST = 1e9
_DIGITS = 5
_WILDCARDS = 3


@dataclass(slots=True)
class Patterns:
    """The alternatives for one property, of which one must hold for one of its values."""

    strings: frozenset[str]
    numbers: frozenset[int | float]
    literals: frozenset[bool | None]
    tests: tuple[Test, ...]
    present: bool
    """Whether it is enough that the property has a value."""
    absent: bool
    """Whether it is enough that it has none."""
    count: int
    """How many alternatives there are."""
    wildcard_points: int
    """What the patterns count towards the limit of a policy's wildcards."""

    def admits(self, value: Scalar) -> bool:
        """Whether a value that the property has is admitted."""
        kind = type(value)
        if kind is str:
            if value in self.strings:
                return True
        elif kind is bool or value is None:
            if value in self.literals:
                return True
        elif self.numbers and rounded(value) in self.numbers:  # type: ignore[arg-type]
            return True
        if self.present and value is not None and value != "":
            return True
        return any(test(value) for test in self.tests)


def compile(patterns: Sequence[Any]) -> Patterns:
    """Return the alternatives of a policy's array. Raises PatternError."""
    strings, numbers, literals, tests = [], [], [], []
    present = absent = False
    stars = []
    for pattern in patterns:
        if isinstance(pattern, str):
            strings.append(pattern)
        elif isinstance(pattern, bool) or pattern is None:
            literals.append(pattern)
        elif isinstance(pattern, int | float):
            numbers.append(rounded(pattern))
        elif not isinstance(pattern, dict):
            raise PatternError("Match value must be String, number, true, false, or null")
        elif len(pattern) == 1 and isinstance(exists := pattern.get("exists"), bool):
            present, absent = present or exists, absent or not exists
        else:
            tests.append(_test(pattern))
            stars += [_stars(wildcard) for wildcard in _wildcards(pattern)]
    if not patterns:
        raise PatternError("Empty arrays are not allowed")
    points = sum([1 if count <= 1 else 3 * count for count in stars]) * len(stars)
    return Patterns(
        frozenset(strings),
        frozenset(numbers),
        frozenset(literals),
        tuple(tests),
        present,
        absent,
        len(patterns),
        points,
    )


def rounded(number: int | float) -> int | float:
    """Return a number with the digits after its point that SNS looks at; beyond its range of numbers, as it is."""
    return round(number, _DIGITS) if -_LARGEST <= number <= _LARGEST else number


def _test(pattern: dict[str, Any]) -> Test:
    """Return what one operator asks of a value."""
    if not pattern:
        raise PatternError("Match expression name not found")
    name, operand = next(iter(pattern.items()))
    compile_operator = _OPERATORS.get(name)
    if compile_operator is None:
        raise PatternError(f"Unrecognized match type {name}")
    test = compile_operator(operand)
    if len(pattern) > 1:
        if name in ("numeric", "anything-but"):
            raise PatternError("Too many elements in numeric expression")
        raise PatternError("Only one key allowed in match expression")
    return test


def _prefix(operand: Any) -> Test:
    prefix = text(operand, "prefix")
    return lambda value: type(value) is str and value.startswith(prefix)


def _suffix(operand: Any) -> Test:
    suffix = text(operand, "suffix")
    return lambda value: type(value) is str and value.endswith(suffix)


def _stars(wildcard: str) -> int:
    count = len(pieces(wildcard)) - 1
    if count > _WILDCARDS:
        raise PatternError(f"A wildcard pattern can have at most {_WILDCARDS} wildcard characters")
    return count


def _wildcards(pattern: dict[str, Any]) -> list[str]:
    """Return the wildcard patterns of an operator that was compiled."""
    denied = pattern.get("anything-but")
    found = denied.get("wildcard") if isinstance(denied, dict) else pattern.get("wildcard")
    return found if isinstance(found, list) else [] if found is None else [found]


def _exists(operand: Any) -> Test:
    if not isinstance(operand, bool):
        raise PatternError("exists match pattern must be either true or false.")
    raise PatternError("Only one key allowed in match expression")


def _anything_but(operand: Any) -> Test:
    """Admit whatever is not denied, of any type."""
    if isinstance(operand, dict):
        return _anything_but_like(operand)
    denied = operand if isinstance(operand, list) else [operand]
    if not isinstance(operand, list) and not _is_text_or_number(operand):
        raise PatternError("Value of anything-but must be an array or single string/number value.")
    if not all(_is_text_or_number(value) for value in denied):
        raise PatternError("Inside anything but list, start|null|boolean is not supported.")
    texts = frozenset(value for value in denied if isinstance(value, str))
    if not denied or (texts and not all(isinstance(value, str) for value in denied)):
        raise PatternError(
            "Inside anything but list, either all values are number or string, mixed type is not supported"
        )
    if texts:
        return lambda value: value not in texts
    numbers = frozenset(rounded(_in_range(value)) for value in denied)
    return lambda value: not is_number(value) or rounded(value) not in numbers


def _anything_but_like(operand: dict[str, Any]) -> Test:
    if not operand:
        raise PatternError("Anything-But expression name not found")
    name, given = next(iter(operand.items()))
    if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
        raise PatternError(f"Unsupported anything-but pattern: {name}")
    if len(operand) > 1:
        raise PatternError("Too many elements in numeric expression")
    if not isinstance(given, list) and not _is_text_or_number(given):
        raise PatternError("Value of anything-but must be an array or single string/number value.")
    denied = given if isinstance(given, list) else [given]
    if not all(isinstance(value, str) for value in denied):
        if name == "equals-ignore-case":
            raise PatternError(
                "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
            )
        raise PatternError(f"{'wildcard' if name == 'wildcard' else 'prefix/suffix'} match pattern must be a string")
    if name in ("prefix", "suffix") and "" in denied:
        raise PatternError("Null prefix/suffix not allowed")
    tests = [_OPERATORS[name](value) for value in denied]
    return lambda value: not any(test(value) for test in tests)


def _is_text_or_number(value: Any) -> bool:
    return isinstance(value, str) or is_number(value)


def _in_range(number: int | float) -> int | float:
    if not -_LARGEST <= number <= _LARGEST:
        raise PatternError("Value must be between -1.0E9 and 1.0E9, inclusive")
    return number


def _numeric(operand: Any) -> Test:
    if not isinstance(operand, list):
        raise PatternError("Value of numeric must be an array.")
    operator = operand[0] if operand else None
    if not isinstance(operator, str):
        raise PatternError(f"Invalid member in numeric match: {']' if operator is None else operator}")
    if operator not in ("=", "<", "<=", ">", ">="):
        raise PatternError(f"Unrecognized numeric range operator: {operator}")
    bound = _bound(operand, 1, "equals" if operator == "=" else operator)
    if operator == "=":
        _end(operand)
        return lambda value: _is_comparable(value) and rounded(value) == bound
    if operator in ("<", "<="):
        _end(operand)
        return _below(bound, operator)
    above = _above(bound, operator)
    if len(operand) == 2:
        return above
    second = operand[2]
    if not isinstance(second, str):
        raise PatternError(f"Bad value in numeric range: {second}")
    if second not in ("<", "<="):
        raise PatternError(f"Bad numeric range operator: {second}")
    top = _bound(operand, 3, second)
    if len(operand) > 4:
        raise PatternError("Too many terms in numeric range expression")
    if top <= bound:
        raise PatternError("Bottom must be less than top")
    below = _below(top, second)
    return lambda value: above(value) and below(value)


def _bound(operand: list[Any], at: int, name: str) -> int | float:
    if len(operand) <= at or not is_number(operand[at]):
        raise PatternError(f"Value of {name} must be numeric")
    return rounded(_in_range(operand[at]))


def _end(operand: list[Any]) -> None:
    if len(operand) > 2:
        raise PatternError("Too many elements in numeric expression")


def _is_comparable(value: Any) -> bool:
    return is_number(value) and -_LARGEST <= value <= _LARGEST


def _below(bound: int | float, operator: str) -> Test:
    if operator == "<":
        return lambda value: _is_comparable(value) and rounded(value) < bound
    return lambda value: _is_comparable(value) and rounded(value) <= bound


def _above(bound: int | float, operator: str) -> Test:
    if operator == ">":
        return lambda value: _is_comparable(value) and rounded(value) > bound
    return lambda value: _is_comparable(value) and rounded(value) >= bound


_OPERATORS: dict[str, Callable[[Any], Test]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": equals_ignore_case,
    "wildcard": wildcard,
    "cidr": cidr,
    "exists": _exists,
    "anything-but": _anything_but,
    "numeric": _numeric,
}

RESERVED = frozenset(
    (
        *_OPERATORS,
        *("exactly", "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"),
        *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
        *("ip-address-in-range", "ip-address-not-in-range"),
    )
)
"""Names that no property within `$or` may have, else it is a property itself (Event Ruler's Constants)."""
