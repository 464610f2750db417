"""Running a coroutine at once, and making a task of it only if it has to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

_OVER: Final = object()


class Outcome(Generic[T]):
    """What a coroutine returned or raised, once it is over."""

    __slots__ = ("error", "result")

    def __init__(self) -> None:
        self.result: T | None = None
        self.error: Exception | None = None


class OneShotEvent:
    """Given once. Many may wait for it, and who has begun outside of a task does not need one for that."""

    __slots__ = ("_error", "_is_given", "_waiting")

    def __init__(self) -> None:
        self._is_given = False
        self._error: BaseException | None = None
        self._waiting: list[Callable[[], None]] = []

    def set(self, error: BaseException | None = None) -> None:
        """Have all go on who wait, in the next turn of the event loop, or raise `error` there."""
        if self._is_given:
            return
        self._is_given, self._error = True, error
        loop = asyncio.get_running_loop()
        waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            loop.call_soon(go_on)

    def add_callback(self, go_on: Callable[[], None]) -> None:
        """Call a function once it is given."""
        self._waiting.append(go_on)

    def in_task(self) -> Any:
        """Return what a task yields that waits for it."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        self.add_callback(wake)
        return next(future.__await__())

    def __await__(self) -> Generator[Any, Any, None]:
        if not self._is_given:
            yield self if asyncio.current_task() is None else self.in_task()
        if self._error is not None:
            raise self._error


def begin(coroutine: Coroutine[Any, Any, T], outcome: Outcome[T]) -> Suspended | None:
    """Run a coroutine as far as it goes without waiting. Return its rest, which is to be awaited, if there is one.

    A task costs several microseconds, and a body that only touches the embedded engine never waits. (Python 3.12
    has eager tasks for this; 3.11 does not.)
    """
    # Its result is kept where it ends: `StopIteration`, which would bring it here, costs more than all the rest.
    running = _settle(coroutine, outcome).__await__()
    pending = next(running, _OVER)
    return None if pending is _OVER else Suspended(running, pending)


async def _settle(coroutine: Coroutine[Any, Any, T], outcome: Outcome[T]) -> None:
    try:
        outcome.result = await coroutine
    except Exception as error:
        outcome.error = error


class Suspended:
    """Awaits the rest of what has begun and yielded `pending`."""

    __slots__ = ("_pending", "_running")

    def __init__(self, running: Generator[Any, Any, None], pending: Any) -> None:
        self._running = running
        self._pending = pending

    def run_in_background(self, then: Callable[[], None]) -> None:
        """Have it go on by itself, and `then` called in the end: in a task, unless it waits for nothing but signals."""
        if type(self._pending) is OneShotEvent:
            self._pending.add_callback(lambda: self._go_on(then))
        else:
            spawn(self._to_end(then))

    def _go_on(self, then: Callable[[], None]) -> None:
        try:
            self._pending = next(self._running, _OVER)
        except asyncio.CancelledError:
            # As with a task, nobody is told.
            return
        if self._pending is _OVER:
            then()
        else:
            self.run_in_background(then)

    async def _to_end(self, then: Callable[[], None]) -> None:
        await self
        then()

    def __await__(self) -> Generator[Any, Any, None]:
        running, pending = self._running, self._pending
        if type(pending) is OneShotEvent:
            pending = pending.in_task()
        while True:
            try:
                # An event loop resumes with nothing, or an error.
                yield pending
            except BaseException as error:
                try:
                    pending = running.throw(error)
                except StopIteration:
                    return
            else:
                pending = next(running, _OVER)
                if pending is _OVER:
                    return


def settling(future: asyncio.Future[T]) -> Callable[[Any, BaseException | None], None]:
    """Return a callback that gives its result or its error to a future, unless nobody waits for it any more."""

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    return settle


_tasks: Final[set[asyncio.Task[Any]]] = set()


def spawn(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a task and keep it alive until it ends (the event loop itself holds tasks only weakly)."""
    task = asyncio.get_running_loop().create_task(coroutine)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task
