"""Turns at starting."""

from __future__ import annotations

import asyncio

from cloudlet.services.lambda_.execution.turns import Turns


async def _waits(turns: Turns, account: str) -> bool:
    """Whether there is no room for one more of an account now."""

    async def enter() -> None:
        async with turns.one(account):
            pass

    entering = asyncio.create_task(enter())
    for _ in range(10):
        await asyncio.sleep(0)
    entering.cancel()
    await asyncio.wait([entering])
    return entering.cancelled()


def test_so_many_have_a_turn_at_once() -> None:
    async def scenario() -> None:
        turns = Turns(2, 60)
        async with turns.one("a"):
            async with turns.one("b"):
                assert await _waits(turns, "c")
            assert not await _waits(turns, "c")

    asyncio.run(scenario())


def test_an_account_has_half_of_them() -> None:
    async def scenario() -> None:
        turns = Turns(4, 60)
        async with turns.one("a"), turns.one("a"):
            assert await _waits(turns, "a")
            assert not await _waits(turns, "b")

    asyncio.run(scenario())


def test_who_takes_long_makes_room_once() -> None:
    async def scenario() -> None:
        turns = Turns(1, 0.01)
        async with turns.one("a"), turns.one("b"):
            assert await _waits(turns, "c")
        async with turns.one("a"):
            assert await _waits(turns, "c")

    asyncio.run(scenario())
