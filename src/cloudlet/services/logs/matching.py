"""Which messages a filter pattern matches: looked for in steps, or beside the event loop, so that others have turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import compress, count
from typing import TypeVar

from cloudlet.core.background.workers import LARGE, run_in_worker
from cloudlet.services.logs.patterns import Pattern

AT_ONCE = 256
"""Messages after which others have their turn."""
T = TypeVar("T")


async def matching(account: str, pattern: Pattern | None, messages: Sequence[str]) -> Sequence[int]:
    """Return the places of the messages of an account that a pattern matches: of all where there is none."""
    if pattern is None:
        return range(len(messages))
    found = await each(account, pattern, pattern.matches, messages)
    return list(compress(count(), found))


async def each(account: str, pattern: Pattern, function: Callable[[str], T], messages: Sequence[str]) -> list[T]:
    """Return what a function of a pattern returns for each message."""
    if pattern.regexes and sum(map(len, messages)) > LARGE:
        return await run_in_worker(account, lambda: list(map(function, messages)))
    found: list[T] = []
    for begin in range(0, len(messages), AT_ONCE):
        if begin:
            await asyncio.sleep(0)
        found += map(function, messages[begin : begin + AT_ONCE])
    return found
