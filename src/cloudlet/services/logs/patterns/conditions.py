"""Conditions that are combined with `&&`, `||` and parentheses; `&&` binds more closely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloudlet.services.logs.patterns.pattern import MayMatch
from cloudlet.services.logs.patterns.problems import PatternProblem
from cloudlet.services.logs.patterns.reading import Reader

T = TypeVar("T")
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Condition(Generic[T]):
    """What is asked of the fields of a message, and what its bytes must have for it to be possible."""

    holds: Callable[[T], bool]
    may_match: MayMatch | None = None
    """None: always."""
    is_sharp: bool = False
    """Whether that rules out so much that it is asked of each message too."""
    form: str = ""
    """For a field between spaces: a regular expression that its text has to fit; empty where there is none."""


def read(reader: Reader, read_one: Callable[[Reader], Condition[T]], depth: int = 0) -> Condition[T]:
    """Read conditions as far as they go; `read_one` reads a single one. Raises PatternProblem."""
    if depth > _DEEPEST:
        raise PatternProblem(f"parentheses can be {_DEEPEST} deep at most")
    found = [_all_of(reader, read_one, depth)]
    while reader.take("||"):
        found.append(_all_of(reader, read_one, depth))
    return _combined(any, found)


def _all_of(reader: Reader, read_one: Callable[[Reader], Condition[T]], depth: int) -> Condition[T]:
    found = [_one(reader, read_one, depth)]
    while reader.take("&&"):
        found.append(_one(reader, read_one, depth))
    return _combined(all, found)


def _one(reader: Reader, read_one: Callable[[Reader], Condition[T]], depth: int) -> Condition[T]:
    if reader.take("("):
        inner = read(reader, read_one, depth + 1)
        reader.expect(")")
        return inner
    return read_one(reader)


def _combined(how: Callable[..., bool], found: list[Condition[T]]) -> Condition[T]:
    if len(found) == 1:
        return found[0]
    tests = [one.holds for one in found]
    forms = [one.form for one in found]
    if how is all:
        form = "".join(f"(?={one})" for one in forms if one)
    else:
        form = f"(?:{'|'.join(forms)})" if all(forms) else ""
    quick = [one.may_match for one in found if one.may_match is not None]
    possible: MayMatch | None = None
    if quick and (how is all or len(quick) == len(found)):
        possible = _asked_of(how, quick)
    # All of them have to hold: one that rules out much is enough. Any may: then each has to.
    is_sharp = (any if how is all else all)(one.is_sharp for one in found)
    return Condition(_asked_of(how, tests), possible, is_sharp, form)


def _asked_of(how: Callable[..., bool], tests: list[Callable[[T], bool]]) -> Callable[[T], bool]:
    if len(tests) == 2:
        first, other = tests
        if how is all:
            return lambda value: first(value) and other(value)
        return lambda value: first(value) or other(value)
    return lambda value: how(test(value) for test in tests)
