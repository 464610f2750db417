"""Turns at starting."""

from __future__ import annotations

import asyncio

from cloudlet.services.lambda_.execution.turns import Turns


async def _waits(turns: Turns) -> bool:
    """Whether there is no room for one more now."""

    async def enter() -> None:
        async with turns.one():
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
        async with turns.one():
            async with turns.one():
                assert await _waits(turns)
            assert not await _waits(turns)

    asyncio.run(scenario())


def test_who_takes_long_makes_room_once() -> None:
    async def scenario() -> None:
        turns = Turns(1, 0.01)
        async with turns.one(), turns.one():
            assert await _waits(turns)
        async with turns.one():
            assert await _waits(turns)

    asyncio.run(scenario())
