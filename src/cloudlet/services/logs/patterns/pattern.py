"""A filter pattern, ready to be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MayMatch = Callable[[bytes], bool]


def anything(raw: bytes) -> bool:
    """May match whatever is there."""
    return True


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a filter pattern says of messages."""

    matches: Callable[[str], bool]
    may_match: MayMatch
    """Whether bytes, in which the messages of some events are as UTF-8, may have one that matches: quick to tell."""
    extract: Callable[[str], dict[str, str]]
    """Returns the values that the pattern names of a message that matches: `$.user` or `$bytes`, by their names."""
    regexes: int = 0
    names: frozenset[str] = frozenset()
    """The fields of a space-delimited pattern (`$bytes`)."""
    is_json: bool = False
