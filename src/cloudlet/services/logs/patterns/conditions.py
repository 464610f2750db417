"""Conditions that are combined with `&&`, `||` and parentheses; `&&` binds more closely."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cloudlet.services.logs.patterns.pattern import MayMatch

T = TypeVar("T")
Path = tuple[str | int, ...]
"""Names and indices; "*" for all."""


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
    about: Mapping[str, Path] = field(default_factory=dict)
    """What it asks about: selectors and where they lead, or a field's name."""
    regexes: int = 0


def any_of(*found: Condition[T]) -> Condition[T]:
    """Return the condition that one of several holds, or more."""
    return _combined(any, found)


def all_of(*found: Condition[T]) -> Condition[T]:
    """Return the condition that all of several hold."""
    return _combined(all, found)


def _combined(how: Callable[..., bool], found: Sequence[Condition[T]]) -> Condition[T]:
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
    about = {name: path for one in found for name, path in one.about.items()}
    return Condition(_asked_of(how, tests), possible, is_sharp, form, about, sum(one.regexes for one in found))


def _asked_of(how: Callable[..., bool], tests: list[Callable[[T], bool]]) -> Callable[[T], bool]:
    if len(tests) == 2:
        first, other = tests
        if how is all:
            return lambda value: first(value) and other(value)
        return lambda value: first(value) or other(value)
    return lambda value: how(test(value) for test in tests)
