"""Coroutines that are run at once, and become tasks only where they have to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from cloudlet.store.eager import OneShotEvent, Outcome, begin


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


class Begun:
    """Begins a coroutine as the event loop does, outside of any task, and has it carried on."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.outcome: Outcome[Any] = Outcome()
        self.over = asyncio.Event()
        asyncio.get_running_loop().call_soon(self._begin, coroutine)

    def _begin(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        rest = begin(coroutine, self.outcome)
        if rest is None:
            self.over.set()
        else:
            rest.run_in_background(self.over.set)

    async def result(self) -> Any:
        async with asyncio.timeout(5):
            await self.over.wait()
        if self.outcome.error is not None:
            raise self.outcome.error
        return self.outcome.result


async def _tasks_after(*waited: Any) -> list[asyncio.Task[Any] | None]:
    """The tasks that a coroutine is run by, behind each of what it waits for."""
    tasks = [asyncio.current_task()]
    for each in waited:
        await each
        tasks.append(asyncio.current_task())
    return tasks


def test_who_waits_for_signals_needs_no_task() -> None:
    async def scenario() -> None:
        first, second = OneShotEvent(), OneShotEvent()
        begun = [Begun(_tasks_after(first, second)) for _ in range(3)]
        for signal in (first, second):
            await asyncio.sleep(0)
            assert not any(each.over.is_set() for each in begun)
            signal.set()
        for each in begun:
            assert await each.result() == [None, None, None]
        # One that was given is not waited for.
        assert await Begun(_tasks_after(first)).result() == [None, None]

    asyncio.run(scenario())


def test_who_waits_for_something_else_as_well_gets_one() -> None:
    async def scenario() -> None:
        signals = [OneShotEvent() for _ in range(3)]
        pause = asyncio.get_running_loop().create_future()
        begun = Begun(_tasks_after(signals[0], pause, signals[1], signals[2]))
        await asyncio.sleep(0)
        signals[0].set()
        await asyncio.sleep(0)
        pause.set_result(None)
        signals[1].set()
        await asyncio.sleep(0)
        signals[2].set()
        none, _, task, *others = await begun.result()
        assert none is None
        assert task is not None
        assert others == [task, task]

    asyncio.run(scenario())


def test_a_task_waits_for_signals_too() -> None:
    async def scenario() -> None:
        signal = OneShotEvent()
        tasks = [asyncio.create_task(_tasks_after(signal)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        signal.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert ended[0] == [tasks[0], tasks[0]]
        assert isinstance(ended[1], asyncio.CancelledError)
        assert ended[2] == [tasks[2], tasks[2]]

    asyncio.run(scenario())


def test_what_has_begun_and_waits_for_a_signal_can_be_awaited_by_a_task() -> None:
    async def scenario() -> None:
        signal, outcome, rests = OneShotEvent(), Outcome[Any](), list[Any]()
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: rests.append(begin(_tasks_after(signal), outcome)))
        await asyncio.sleep(0)
        loop.call_soon(signal.set)
        await rests[0]
        assert outcome.result == [None, asyncio.current_task()]

    asyncio.run(scenario())


def test_a_signal_may_bring_an_error_to_all() -> None:
    async def scenario() -> None:
        signal = OneShotEvent()
        begun = [Begun(_tasks_after(signal)) for _ in range(2)]
        task = asyncio.create_task(_tasks_after(signal))
        await asyncio.sleep(0)
        signal.set(ValueError("no"))
        signal.set()
        for waiting in (*(each.result() for each in begun), task, _tasks_after(signal)):
            with pytest.raises(ValueError, match="no"):
                await waiting

    asyncio.run(scenario())


def test_a_failure_of_one_who_waits_is_not_that_of_others() -> None:
    """What is to be done in the end may fail for one of them: the event loop is told, and the others go on."""

    async def scenario() -> None:
        told: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(str(context["exception"])))
        signal = OneShotEvent()
        failing = Begun(_tasks_after(signal))
        failing.over.set = lambda: 1 / 0  # type: ignore[assignment]
        other = Begun(_tasks_after(signal))
        await asyncio.sleep(0)
        signal.set()
        assert await other.result() == [None, None]
        assert told == ["division by zero"]

    asyncio.run(scenario())
