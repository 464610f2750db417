"""Conjunction, disjunction and negation, for languages of conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class All(Generic[T]):
    """All parts hold."""

    parts: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class AnyOf(Generic[T]):
    """One of the parts holds, or more."""

    parts: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class Not(Generic[T]):
    """The part does not hold."""

    part: T


class Meaning:
    """The meaning of the rules `any`, `all` and `negated` of a grammar."""

    def any(self, *parts: Any) -> Any:
        return AnyOf(parts)

    def all(self, *parts: Any) -> Any:
        return All(parts)

    def negated(self, part: Any) -> Any:
        return part.part if isinstance(part, Not) else Not(part)
