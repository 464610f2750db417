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
    quick = [one.may_match for one in found if one.may_match is not None]
    possible: MayMatch | None = None
    if quick and (how is all or len(quick) == len(found)):

        def possible(raw: bytes) -> bool:
            return how(one(raw) for one in quick)

    return Condition(lambda fields: how(test(fields) for test in tests), possible)
