"""The rules of composite alarms. API reference, "PutCompositeAlarm", `AlarmRule`.

`ALARM(name)`, `OK(name)`, `INSUFFICIENT_DATA(name)`, TRUE, FALSE, AND, OR, NOT and parentheses. A name may be an ARN,
and may be quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cloudlet.services.cloudwatch.alarm import name_of

MOST_CHILDREN = 100
MOST_ELEMENTS = 500
_DEEPEST = 100

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<state>(?:ALARM|OK|INSUFFICIENT_DATA))\s*\(\s*(?:"(?P<quoted>(?:[^"\\]|\\.)+)"|(?P<name>[^()"]+?))\s*\)
      | (?P<symbol>[()])
      | (?P<word>[A-Za-z]+)
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


class RuleProblem(ValueError):
    """A rule that cannot be read, and why."""


@dataclass(frozen=True, slots=True)
class InState:
    """An alarm is in a state."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Rule


@dataclass(frozen=True, slots=True)
class All:
    """All parts hold."""

    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the parts holds, or more."""

    parts: tuple[Rule, ...]


Rule = InState | Constant | Not | All | AnyOf


def holds(rule: Rule, states: Mapping[str, str]) -> bool:
    """Whether a rule holds, with alarms in some states."""
    if isinstance(rule, InState):
        return states.get(rule.name) == rule.state
    if isinstance(rule, Constant):
        return rule.value
    if isinstance(rule, Not):
        return not holds(rule.part, states)
    if isinstance(rule, All):
        return all(holds(part, states) for part in rule.parts)
    return any(holds(part, states) for part in rule.parts)


def names(rule: Rule) -> list[str]:
    """Return the names of the alarms in a rule, each once."""
    return list(dict.fromkeys(_names(rule)))


def _names(rule: Rule) -> Iterator[str]:
    if isinstance(rule, InState):
        yield rule.name
    elif isinstance(rule, Not):
        yield from _names(rule.part)
    elif isinstance(rule, All | AnyOf):
        for part in rule.parts:
            yield from _names(part)


@lru_cache(maxsize=1000)
def parse(text: str) -> Rule:
    """Return what a rule says. Raises RuleProblem."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._found: list[re.Match[str]] = []
        self._at = 0
        self._depth = 0
        position = 0
        while True:
            match = _TOKEN.match(text, position)
            if match is None:
                raise RuleProblem(f"Unexpected character at position {position + 1}")
            self._found.append(match)
            position = match.end()
            if match.lastgroup == "end":
                break
        elements = sum([match["word"] not in ("AND", "OR", "NOT") for match in self._found[:-1]])
        if elements > MOST_ELEMENTS:
            raise RuleProblem(f"A rule has {MOST_ELEMENTS} elements at most")

    def whole(self) -> Rule:
        rule = self._any()
        if self._match.lastgroup != "end":
            raise self._unexpected()
        if len(names(rule)) > MOST_CHILDREN:
            raise RuleProblem(f"A rule has {MOST_CHILDREN} alarms at most")
        return rule

    @property
    def _match(self) -> re.Match[str]:
        return self._found[self._at]

    def _unexpected(self) -> RuleProblem:
        if self._match.lastgroup == "end":
            return RuleProblem("Unexpected end")
        return RuleProblem(f"Unexpected '{self._match[0].strip()}' at position {self._match.start() + 1}")

    def _accept(self, kind: str, text: str) -> bool:
        if self._match[kind] is not None and self._match[kind].upper() == text:
            self._at += 1
            return True
        return False

    def _any(self) -> Rule:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise RuleProblem("The rule is nested too deeply")
        parts = [self._all()]
        while self._accept("word", "OR"):
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Rule:
        parts = [self._one()]
        while self._accept("word", "AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Rule:
        negations = 0
        while self._accept("word", "NOT"):
            negations += 1
        rule = self._positive()
        return Not(rule) if negations % 2 else rule

    def _positive(self) -> Rule:
        match = self._match
        if match["state"] is not None:
            self._at += 1
            name = re.sub(r"\\(.)", r"\1", match["quoted"]) if match["quoted"] is not None else match["name"]
            return InState(name_of(name), match["state"])
        if self._accept("word", "TRUE"):
            return Constant(True)
        if self._accept("word", "FALSE"):
            return Constant(False)
        if self._accept("symbol", "("):
            rule = self._any()
            if not self._accept("symbol", ")"):
                raise self._unexpected()
            return rule
        raise self._unexpected()
