"""What a filter policy says of one property: the values that it may have.

The operators are those of the developer guide ("String value matching", "Numeric value matching", "Key matching").
Where the guide is silent, the rules and the words of the errors are those of AWS's Event Ruler, the library that SNS
matches with (https://github.com/aws/event-ruler).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any, TypeAlias

from cloudlet.core.aws.event_ruler import PatternError, Test, is_number, network, pieces, text, wildcard
from cloudlet.services.sns import filter_tests
from cloudlet.services.sns.filter_tests import Bound

Scalar: TypeAlias = "str | int | float | bool | None"

MOST_COMBINATIONS = 150
MOST_WILDCARD_POINTS = 100
TOO_COMPLEX = "Filter policy is too complex"
_LARGEST = 1e9
_LEAST: Bound = (-_LARGEST, 0)
_MOST: Bound = (_LARGEST, 1)
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
    if not patterns:
        raise PatternError("Empty arrays are not allowed")
    if len(patterns) > MOST_COMBINATIONS:
        raise PatternError(TOO_COMPLEX)
    strings, numbers, literals = [], [], []
    present = absent = False
    operators = _Operators()
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
            operators.add(pattern)
    return Patterns(
        frozenset(strings),
        frozenset(numbers),
        frozenset(literals),
        operators.tests(),
        present,
        absent,
        len(patterns),
        operators.wildcard_points,
    )


def rounded(number: int | float) -> int | float:
    """Return a number with the digits after its point that SNS looks at; beyond its range of numbers, as it is."""
    return round(number, _DIGITS) if -_LARGEST <= number <= _LARGEST else number


class _Operators:
    """The operators among the alternatives of one property, from which tests are made for all of a kind together."""

    def __init__(self) -> None:
        self._prefixes: list[str] = []
        self._suffixes: list[str] = []
        self._in_any_case: list[str] = []
        self._networks: list[IPv4Network | IPv6Network] = []
        self._ranges: list[tuple[Bound, Bound]] = []
        self._denied_texts: list[frozenset[str]] = []
        self._denied_numbers: list[frozenset[int | float]] = []
        self._others: list[Test] = []
        self._stars: list[int] = []

    def add(self, pattern: dict[str, Any]) -> None:
        """Add what one operator asks of a value. Raises PatternError."""
        if not pattern:
            raise PatternError("Match expression name not found")
        name, operand = next(iter(pattern.items()))
        match name:
            case "prefix":
                self._prefixes.append(text(operand, name))
            case "suffix":
                self._suffixes.append(text(operand, name))
            case "equals-ignore-case":
                self._in_any_case.append(text(operand, name))
            case "wildcard":
                self._others.append(self._wildcard(operand))
            case "cidr":
                self._networks.append(network(text(operand, "prefix")))
            case "exists":
                _refuse_exists(operand)
            case "anything-but":
                self._anything_but(operand)
            case "numeric":
                self._ranges.append(_numeric(operand))
            case _:
                raise PatternError(f"Unrecognized match type {name}")
        if len(pattern) > 1:
            if name in ("numeric", "anything-but"):
                raise PatternError("Too many elements in numeric expression")
            raise PatternError("Only one key allowed in match expression")

    def tests(self) -> tuple[Test, ...]:
        """Return the tests, of which one must hold."""
        tests = list(self._others)
        if self._prefixes:
            tests.append(filter_tests.starts_with(self._prefixes))
        if self._suffixes:
            tests.append(filter_tests.ends_with(self._suffixes))
        if self._in_any_case:
            tests.append(filter_tests.is_in_any_case(self._in_any_case))
        if self._networks:
            tests.append(filter_tests.is_in_network(self._networks))
        if self._ranges:
            ranges = filter_tests.Ranges(self._ranges)
            tests.append(lambda value: _is_comparable(value) and ranges.have(rounded(value)))
        if self._denied_texts:
            # What one alternative denies, another may admit.
            texts = frozenset.intersection(*self._denied_texts)
            tests.append(lambda value: value not in texts)
        if self._denied_numbers:
            numbers = frozenset.intersection(*self._denied_numbers)
            tests.append(lambda value: not is_number(value) or rounded(value) not in numbers)
        return tuple(tests)

    @property
    def wildcard_points(self) -> int:
        return sum([1 if count <= 1 else 3 * count for count in self._stars]) * len(self._stars)

    def _wildcard(self, operand: Any) -> Test:
        test = wildcard(operand)
        count = len(pieces(operand)) - 1
        if count > _WILDCARDS:
            raise PatternError(f"A wildcard pattern can have at most {_WILDCARDS} wildcard characters")
        self._stars.append(count)
        if self.wildcard_points > MOST_WILDCARD_POINTS:
            raise PatternError(TOO_COMPLEX)
        return test

    def _anything_but(self, operand: Any) -> None:
        """Admit whatever is not denied, of any type."""
        if isinstance(operand, dict):
            self._others.append(self._anything_but_like(operand))
            return
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
            self._denied_texts.append(texts)
        else:
            self._denied_numbers.append(frozenset(rounded(_in_range(value)) for value in denied))

    def _anything_but_like(self, operand: dict[str, Any]) -> Test:
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
            raise PatternError(
                f"{'wildcard' if name == 'wildcard' else 'prefix/suffix'} match pattern must be a string"
            )
        if name in ("prefix", "suffix") and "" in denied:
            raise PatternError("Null prefix/suffix not allowed")
        if name == "wildcard":
            tests = [self._wildcard(value) for value in denied]
            return lambda value: not any(test(value) for test in tests)
        test = _LIKE[name](denied)
        return lambda value: not test(value)


_LIKE: dict[str, Callable[[list[str]], Test]] = {
    "prefix": filter_tests.starts_with,
    "suffix": filter_tests.ends_with,
    "equals-ignore-case": filter_tests.is_in_any_case,
}


def _refuse_exists(operand: Any) -> None:
    if not isinstance(operand, bool):
        raise PatternError("exists match pattern must be either true or false.")
    raise PatternError("Only one key allowed in match expression")


def _is_text_or_number(value: Any) -> bool:
    return isinstance(value, str) or is_number(value)


def _in_range(number: int | float) -> int | float:
    if not -_LARGEST <= number <= _LARGEST:
        raise PatternError("Value must be between -1.0E9 and 1.0E9, inclusive")
    return number


def _numeric(operand: Any) -> tuple[Bound, Bound]:
    """Return the range of numbers that an operator asks for."""
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
        return (bound, 0), (bound, 1)
    if operator in ("<", "<="):
        _end(operand)
        return _LEAST, _behind(bound, operator)
    begin = (bound, 0 if operator == ">=" else 1)
    if len(operand) == 2:
        return begin, _MOST
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
    return begin, _behind(top, second)


def _behind(bound: int | float, operator: str) -> Bound:
    return (bound, 1 if operator == "<=" else 0)


def _bound(operand: list[Any], at: int, name: str) -> int | float:
    if len(operand) <= at or not is_number(operand[at]):
        raise PatternError(f"Value of {name} must be numeric")
    return rounded(_in_range(operand[at]))


def _end(operand: list[Any]) -> None:
    if len(operand) > 2:
        raise PatternError("Too many elements in numeric expression")


def _is_comparable(value: Any) -> bool:
    return is_number(value) and -_LARGEST <= value <= _LARGEST


RESERVED = frozenset(
    (
        *("prefix", "suffix", "equals-ignore-case", "wildcard", "cidr", "exists", "anything-but", "numeric"),
        *("exactly", "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"),
        *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
        *("ip-address-in-range", "ip-address-not-in-range"),
    )
)
"""Names that no property within `$or` may have, else it is a property itself (Event Ruler's Constants)."""
