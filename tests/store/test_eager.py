"""Coroutines that are run at once, and become tasks only where they have to wait."""

from __future__ import annotations

import asyncio

import pytest

from cloudlet.store.eager import Outcome, begin


async def _after(futures: list[asyncio.Future[int]]) -> int:
    return sum([await future for future in futures])


def test_what_need_not_wait_is_over_at_once() -> None:
    outcome: Outcome[int] = Outcome()
    assert begin(_after([]), outcome) is None
    assert (outcome.result, outcome.error) == (0, None)


def test_what_it_raises_is_kept() -> None:
    async def fails() -> int:
        raise ValueError("no")

    outcome: Outcome[int] = Outcome()
    assert begin(fails(), outcome) is None
    assert outcome.result is None
    assert str(outcome.error) == "no"


def test_the_rest_is_awaited_and_may_wait_again() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(2)]
        outcome: Outcome[int] = Outcome()
        rest = begin(_after(futures), outcome)
        assert rest is not None
        for number, future in enumerate(futures, 1):
            loop.call_later(0.001 * number, future.set_result, number)
        await rest
        assert (outcome.result, outcome.error) == (3, None)

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [ValueError("failed"), None])
def test_an_error_or_a_cancellation_reaches_what_waits(error: Exception | None) -> None:
    async def scenario() -> None:
        future = asyncio.get_running_loop().create_future()
        outcome: Outcome[int] = Outcome()
        rest = begin(_after([future]), outcome)
        assert rest is not None
        if error is not None:
            future.set_exception(error)
            await rest
            assert outcome.error is error
        else:
            waiting = asyncio.ensure_future(_awaited(rest))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert future.cancelled()

    async def _awaited(rest: object) -> None:
        await rest  # type: ignore[misc]

    asyncio.run(scenario())
