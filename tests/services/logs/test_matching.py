"""Patterns are looked for so that others have their turn."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

from cloudlet.services.logs import patterns
from cloudlet.services.logs.matching import AT_ONCE, matching
from cloudlet.services.logs.patterns import Pattern


def watched(text: str, threads: list[int]) -> Pattern:
    """A pattern that notes in which threads it is looked for."""
    pattern = patterns.parse(text)

    def matches(message: str) -> bool:
        threads.append(threading.get_ident())
        return pattern.matches(message)

    return replace(pattern, matches=matches)


def test_a_regular_expression_is_looked_for_in_much_text_beside_the_event_loop() -> None:
    threads: list[int] = []
    pattern = watched("%a+b%", threads)
    large = ["a" * 40_000, "ab"]
    assert list(asyncio.run(matching("1", pattern, large))) == [1]
    assert threading.get_ident() not in threads
    assert list(asyncio.run(matching("1", pattern, ["ab", "b"]))) == [0]
    assert threads[2:] == [threading.get_ident()] * 2


def test_others_have_their_turn_in_between() -> None:
    threads: list[int] = []
    pattern = watched("x", threads)
    seen: list[int] = []

    async def look() -> None:
        task = asyncio.create_task(_noting(threads, seen))
        assert len(await matching("1", pattern, ["x"] * (3 * AT_ONCE))) == 3 * AT_ONCE
        task.cancel()

    asyncio.run(look())
    assert seen[:2] == [AT_ONCE, 2 * AT_ONCE]


async def _noting(threads: list[int], seen: list[int]) -> None:
    while True:
        seen.append(len(threads))
        await asyncio.sleep(0)


def test_all_match_where_there_is_no_pattern() -> None:
    assert list(asyncio.run(matching("1", None, ["a", "b"]))) == [0, 1]
