"""The trees of expressions that come again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

T = TypeVar("T")

_MOST: Final = 1024
_LONGEST: Final = 512
"""Longer texts are parsed each time: a tree takes many times the memory of its text, and few texts are long."""


def remembered(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return `parse`, which must depend on the text alone, with a memory for its latest results."""
    known = lru_cache(_MOST)(parse)

    def read(text: str) -> T:
        return known(text) if len(text) <= _LONGEST else parse(text)

    return read
