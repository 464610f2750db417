"""The rules of composite alarms. API reference, "PutCompositeAlarm", `AlarmRule`.

`ALARM(name)`, `OK(name)`, `INSUFFICIENT_DATA(name)`, TRUE, FALSE, AND, OR, NOT and parentheses. A name may be an ARN,
and may be quoted. `AT_LEAST(2, ALARM, (name, …))` and `AT_LEAST(60%, NOT OK, (name, …))` count alarms, as AWS CDK's
`AlarmRule.atLeast` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from cloudlet.core.aws.language import Language, NestingTooDeep, ParseError
from cloudlet.core.aws.logic import All, AnyOf, Not
from cloudlet.services.cloudwatch.alarm import name_of

MOST_CHILDREN = 100
MOST_ELEMENTS = 500
_DEEPEST = 100


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
class AtLeast:
    """So many of the parts hold, or more."""

    count: int
    parts: tuple[Rule, ...]


Rule: TypeAlias = "InState | Constant | Not[Rule] | All[Rule] | AnyOf[Rule] | AtLeast"


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
    if isinstance(rule, AtLeast):
        return sum(holds(part, states) for part in rule.parts) >= rule.count
    return any(holds(part, states) for part in rule.parts)


def names(rule: Rule) -> list[str]:
    """Return the names of the alarms in a rule, each once."""
    return list(dict.fromkeys(_names(rule)))


def _names(rule: Rule) -> Iterator[str]:
    if isinstance(rule, InState):
        yield rule.name
    elif isinstance(rule, Not):
        yield from _names(rule.part)
    elif isinstance(rule, All | AnyOf | AtLeast):
        for part in rule.parts:
            yield from _names(part)


@lru_cache(maxsize=1000)
def parse(text: str) -> Rule:
    """Return what a rule says. Raises RuleProblem."""
    try:
        rule, elements = _LANGUAGE.read(text)
    except NestingTooDeep:
        raise RuleProblem("The rule is nested too deeply") from None
    except ParseError as problem:
        if not problem.word:
            raise RuleProblem("Unexpected end") from None
        raise RuleProblem(f"Unexpected '{problem.word}' at position {problem.start + 1}") from None
    if elements > MOST_ELEMENTS:
        raise RuleProblem(f"A rule has {MOST_ELEMENTS} elements at most")
    if len(names(rule)) > MOST_CHILDREN:
        raise RuleProblem(f"A rule has {MOST_CHILDREN} alarms at most")
    return rule


_Counted = tuple[Rule, int]
"""A rule, and of how many elements it is: alarms, constants and parentheses."""


class _Meaning:
    def start(self, whole: _Counted) -> _Counted:
        return whole

    def any(self, *parts: _Counted) -> _Counted:
        return AnyOf(tuple(rule for rule, _ in parts)), sum(elements for _, elements in parts)

    def all(self, *parts: _Counted) -> _Counted:
        return All(tuple(rule for rule, _ in parts)), sum(elements for _, elements in parts)

    def negated(self, part: _Counted) -> _Counted:
        rule, elements = part
        return rule.part if isinstance(rule, Not) else Not(rule), elements

    def group(self, part: _Counted) -> _Counted:
        rule, elements = part
        return rule, elements + 2

    def state(self, state: str, name: str) -> _Counted:
        return InState(name_of(name), str(state)), 1

    def at_least(self, count: str, state: Callable[[str], Rule], *names: str) -> _Counted:
        number, all_of_them = int(count.rstrip("%")), len(names)
        most = 100 if count.endswith("%") else all_of_them
        if not 1 <= number <= most:
            raise RuleProblem(f"{count} is not from 1 to {most}{count[len(str(number)) :]}")
        # Of a percentage, as many as it takes to reach it.
        needed = -(-number * all_of_them // 100) if count.endswith("%") else number
        return AtLeast(needed, tuple(map(state, names))), all_of_them + 2

    def counted_state(self, negation: str | None, state: str) -> Callable[[str], Rule]:
        def part(name: str) -> Rule:
            wanted = InState(name_of(name), str(state))
            return wanted if negation is None else Not(wanted)

        return part

    def QUOTED(self, text: str) -> str:
        return re.sub(r"\\(.)", r"\1", text[1:-1])

    def NAME(self, text: str) -> str:
        return str(text)

    def LISTED(self, text: str) -> str:
        return str(text)

    def CONSTANT(self, text: str) -> _Counted:
        return Constant(text.upper() == "TRUE"), 1


_LANGUAGE: Language[_Counted] = Language(__file__, _Meaning(), _DEEPEST)
