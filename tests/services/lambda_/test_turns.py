"""Who initialises a function next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cloudlet.services.lambda_.execution.turns import Turns
from cloudlet.services.lambda_.functions.function import Place


def _place(name: str) -> Place:
    """Return a function of an account that its first letter names."""
    return Place(name[0], "us-east-1", name)


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _run(check: Callable[[], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(20):
            await check()

    asyncio.run(scenario())


def test_accounts_take_turns_and_functions_within_an_account() -> None:
    async def check() -> None:
        turns = Turns(1)
        first = await turns.take(_place("x"))
        order: list[str] = []

        async def start(name: str) -> None:
            turn = await turns.take(_place(name))
            order.append(name)
            turns.give_back(turn)

        async with asyncio.TaskGroup() as group:
            for name in ["a1", "a1", "a1", "a2", "b1"]:
                group.create_task(start(name))
            await _settle()
            turns.give_back(first)
        assert order == ["a1", "b1", "a2", "a1", "a1"]

    _run(check)


def test_what_only_waits_leaves_its_turn_to_others_and_counts_again_once_it_works() -> None:
    async def check() -> None:
        turns = Turns(1)
        idle = await turns.take(_place("a"))
        turns.note(idle, is_idle=True)
        busy = await turns.take(_place("b"))
        turns.note(idle, is_idle=False)
        waiting = asyncio.create_task(turns.take(_place("c")))
        turns.give_back(busy)
        await _settle()
        assert not waiting.done()
        turns.give_back(idle)
        await waiting

    _run(check)


def test_who_goes_as_its_turn_comes_leaves_it_to_the_next() -> None:
    async def check() -> None:
        turns = Turns(1)
        first = await turns.take(_place("a"))
        going, waiting = (asyncio.create_task(turns.take(_place(name))) for name in ("b", "c"))
        await _settle()
        turns.give_back(first)
        going.cancel()
        await waiting
        assert going.cancelled()

    _run(check)
