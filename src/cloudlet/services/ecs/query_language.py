"""The cluster query language, by which container instances are chosen.

Developer guide, "Create expressions to define container instances for Amazon ECS tasks".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from cloudlet.services.ecs import errors

_MAX_EXPRESSION_CHARACTERS: Final = 2000
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<sign>\(|\)|\[|\]|,|&&|\|\||==|!=|>=|<=|>|<|=~|!~|!)|\"(?P<quoted>[^\"]*)\"|(?P<word>[^\s()\[\],!=<>&|~\"]+))"
)
_OPERATORS: Final = {
    "equals": "==",
    "not_equals": "!=",
    "greater_than": ">",
    "greater_than_equal": ">=",
    "less_than": "<",
    "less_than_equal": "<=",
    "matches": "=~",
    "not_matches": "!~",
}
_COMPARISONS: Final = ("==", "!=", ">", ">=", "<", "<=", "=~", "!~")
_SUBJECTS: Final = (
    "agentConnected",
    "agentVersion",
    "ec2InstanceId",
    "registeredAt",
    "runningTasksCount",
    "task:group",
)


class Facts(NamedTuple):
    """The facts of a container instance that expressions are about."""

    attributes: Mapping[str, str]
    values: Mapping[str, str]
    """The values of the other subjects, but of `task:group`."""
    groups: frozenset[str]
    """The groups of the tasks that run on it."""


Predicate = Callable[[Facts], bool]


def parse(expression: str) -> Predicate:
    """Return whether an expression holds, as a function. Raises InvalidParameterException."""
    if len(expression) > _MAX_EXPRESSION_CHARACTERS:
        raise _InvalidExpression(expression[:_MAX_EXPRESSION_CHARACTERS])
    parser = _Parser(expression)
    found = parser.parse_any()
    parser.check_end()
    return found


class _InvalidExpression(errors.InvalidParameter):
    def __init__(self, expression: str) -> None:
        super().__init__(f"Invalid expression: {expression}")


class _Parser:
    """A parser of one expression: `or` binds less than `and`, and that less than `not`."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens: list[tuple[str, bool]] = []
        """The tokens, and which of them are quoted."""
        place, end = 0, len(expression.rstrip())
        while place < end:
            match = _TOKEN.match(expression, place)
            if match is None:
                raise _InvalidExpression(expression)
            is_quoted = match["quoted"] is not None
            self._tokens.append((match["quoted"] if is_quoted else match["sign"] or match["word"], is_quoted))
            place = match.end()
        self._place = 0

    def _peek(self) -> str:
        if self._place == len(self._tokens) or self._tokens[self._place][1]:
            return ""
        return self._tokens[self._place][0]

    def _take(self) -> str:
        if self._place == len(self._tokens):
            raise _InvalidExpression(self._expression)
        self._place += 1
        return self._tokens[self._place - 1][0]

    def _take_one(self, *tokens: str) -> bool:
        if self._peek() in tokens:
            self._place += 1
            return True
        return False

    def _need(self, token: str) -> None:
        if not self._take_one(token):
            raise _InvalidExpression(self._expression)

    def check_end(self) -> None:
        """Raise InvalidParameterException unless all has been read."""
        if self._place < len(self._tokens):
            raise _InvalidExpression(self._expression)

    def parse_any(self) -> Predicate:
        """Return what holds if one of several does."""
        parts = [self._parse_all()]
        while self._take_one("or", "||"):
            parts.append(self._parse_all())
        return lambda facts: any(part(facts) for part in parts)

    def _parse_all(self) -> Predicate:
        parts = [self._parse_one()]
        while self._take_one("and", "&&"):
            parts.append(self._parse_one())
        return lambda facts: all(part(facts) for part in parts)

    def _parse_one(self) -> Predicate:
        if self._take_one("not", "!"):
            denied = self._parse_one()
            return lambda facts: not denied(facts)
        if self._take_one("("):
            found = self.parse_any()
            self._need(")")
            return found
        return self._parse_comparison(self._take())

    def _parse_comparison(self, subject: str) -> Predicate:
        if subject not in _SUBJECTS and not (subject.startswith("attribute:") and len(subject) > len("attribute:")):
            raise _InvalidExpression(self._expression)
        is_denied = self._take_one("!")
        operator = self._take()
        if operator.startswith("not_") and operator not in _OPERATORS:
            is_denied, operator = not is_denied, operator.removeprefix("not_")
        operator = _OPERATORS.get(operator, operator)
        if operator == "exists":
            return lambda facts: bool(_list_values(facts, subject)) != is_denied
        if operator == "in":
            wanted = self._parse_list()
            return lambda facts: any(value in wanted for value in _list_values(facts, subject)) != is_denied
        if operator not in _COMPARISONS or is_denied:
            raise _InvalidExpression(self._expression)
        return self._compare(subject, operator, self._take())

    def _parse_list(self) -> list[str]:
        self._need("[")
        listed = [self._take()]
        while self._take_one(","):
            listed.append(self._take())
        self._need("]")
        return listed

    def _compare(self, subject: str, operator: str, argument: str) -> Predicate:
        if operator in ("=~", "!~"):
            try:
                pattern = re.compile(argument)
            except re.error:
                raise _InvalidExpression(self._expression) from None
            return lambda facts: (
                any(pattern.fullmatch(value) for value in _list_values(facts, subject)) == (operator == "=~")
            )
        if operator == "!=":
            return lambda facts: argument not in _list_values(facts, subject)
        return lambda facts: any(_holds(value, operator, argument) for value in _list_values(facts, subject))


def _list_values(facts: Facts, subject: str) -> list[str]:
    if subject == "task:group":
        return sorted(facts.groups)
    kind, _, name = subject.partition(":")
    found = facts.attributes.get(name) if kind == "attribute" else facts.values.get(subject)
    return [] if found is None else [found]


def _holds(value: str, operator: str, argument: str) -> bool:
    if operator == "==":
        return value == argument
    one, other = _parse_value(value), _parse_value(argument)
    if type(one) is not type(other):
        return False
    # Both are of one type.
    return {">": one > other, ">=": one >= other, "<": one < other, "<=": one <= other}[operator]  # type: ignore[operator]


def _parse_value(text: str) -> float | tuple[int, ...] | str:
    """Return a number, a version or a time as what can be compared."""
    if re.fullmatch(r"\d+(\.\d+){2,}", text):
        return tuple(int(part) for part in text.split("."))
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return text
