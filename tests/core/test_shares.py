"""Places of which each account holds a part at most."""

from __future__ import annotations

import asyncio

from cloudlet.core.background.fair_semaphore import FairSemaphore


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_an_account_holds_no_more_than_its_part() -> None:
    async def check() -> None:
        shares = FairSemaphore(3, 2)
        held = [asyncio.create_task(shares.acquire("much")) for _ in range(3)]
        await _settle()
        assert [task.done() for task in held] == [True, True, False]

        await asyncio.wait_for(shares.acquire("little"), 10)
        shares.release("much")
        await asyncio.wait_for(held[2], 10)

    asyncio.run(check())


def test_accounts_that_wait_take_turns() -> None:
    async def check() -> None:
        shares = FairSemaphore(1, 1)
        await shares.acquire("first")
        order: list[str] = []

        async def work(account: str) -> None:
            async with shares.hold(account):
                order.append(account)

        async with asyncio.TaskGroup() as group:
            for account in ["much", "much", "much", "little"]:
                group.create_task(work(account))
            await _settle()
            shares.release("first")
        assert order == ["much", "little", "much", "much"]

    asyncio.run(check())


def test_who_is_cancelled_as_a_place_becomes_free_does_not_get_it() -> None:
    async def check() -> None:
        shares = FairSemaphore(1, 1)
        await shares.acquire("one")
        cancelled, waiting = (asyncio.create_task(shares.acquire(name)) for name in ("two", "three"))
        await _settle()
        cancelled.cancel()
        shares.release("one")
        await asyncio.wait_for(waiting, 10)
        assert cancelled.cancelled()

    asyncio.run(check())


def test_who_no_longer_waits_holds_nothing() -> None:
    async def check() -> None:
        shares = FairSemaphore(1, 1)
        await shares.acquire("one")
        waiting, granted = (asyncio.create_task(shares.acquire("two")) for _ in range(2))
        await _settle()
        waiting.cancel()
        await _settle()
        shares.release("one")
        granted.cancel()  # It has its place, and has not run since.
        await _settle()
        assert waiting.cancelled()
        assert granted.cancelled()
        await asyncio.wait_for(shares.acquire("three"), 10)

    asyncio.run(check())


def test_who_was_cancelled_and_has_not_run_since_is_passed_over() -> None:
    async def check() -> None:
        shares = FairSemaphore(1, 1)
        await shares.acquire("one")
        cancelled, other = (asyncio.create_task(shares.acquire("two")) for _ in range(2))
        await _settle()
        cancelled.cancel()
        shares.release("one")
        await asyncio.wait_for(other, 10)
        assert cancelled.cancelled()
        shares.release("two")
        await asyncio.wait_for(shares.acquire("three"), 10)

    asyncio.run(check())


def test_who_takes_long_makes_room_once() -> None:
    async def check() -> None:
        shares = FairSemaphore(1, 1)
        async with shares.hold("slow", seconds=0.01):
            await asyncio.wait_for(shares.acquire("next"), 10)
        waiting = asyncio.create_task(shares.acquire("last"))
        await _settle()
        assert not waiting.done()
        shares.release("next")
        await asyncio.wait_for(waiting, 10)

    asyncio.run(check())


def test_who_has_no_account_gets_its_turn_too() -> None:
    async def check() -> None:
        shares = FairSemaphore(1, 1)
        await shares.acquire("")
        waiting = asyncio.create_task(shares.acquire(""))
        await _settle()
        shares.release("")
        await asyncio.wait_for(waiting, 10)

    asyncio.run(check())
