"""Which are given up of too many that are kept: those of whoever has most of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def surplus(kept: Sequence[T], account_of: Callable[[T], str], most: int) -> set[T]:
    """Return those beyond so many; `kept` begins with those that have waited longest, which go first.

    Of accounts that have equally many, the one goes first that has waited longest.
    """
    waited = {each: place for place, each in enumerate(kept)}
    of_accounts: defaultdict[str, list[T]] = defaultdict(list)
    for each in reversed(kept):
        of_accounts[account_of(each)].append(each)

    def rank(own: list[T]) -> tuple[int, int]:
        return (len(own), -waited[own[-1]]) if own else (0, 0)

    return {max(of_accounts.values(), key=rank).pop() for _ in range(len(kept) - most)}
