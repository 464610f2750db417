"""Running a coroutine at once, and making a task of it only if it has to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Resumed(Generic[T]):
    """Awaits the rest of a coroutine that was already started and yielded `pending`.

    A task costs several microseconds, and a body that only touches the embedded engine never waits. (Python 3.12
    has eager tasks for this; 3.11 does not.)
    """

    __slots__ = ("_coroutine", "_pending")

    def __init__(self, coroutine: Coroutine[Any, Any, T], pending: Any) -> None:
        self._coroutine = coroutine
        self._pending = pending

    def __await__(self) -> Generator[Any, Any, T]:
        coroutine, pending = self._coroutine, self._pending
        while True:
            try:
                value = yield pending
            except BaseException as error:
                try:
                    pending = coroutine.throw(error)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
            else:
                try:
                    pending = coroutine.send(value)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]


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


_tasks: set[asyncio.Task[Any]] = set()


def spawn(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a task and keep it alive until it ends (the event loop itself holds tasks only weakly)."""
    task = asyncio.get_running_loop().create_task(coroutine)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task
