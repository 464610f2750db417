"""Computations of seconds, done in threads beside the event loop, so that everybody else is served meanwhile.

The process does not wait for them when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, ParamSpec, TypeVar

_THREADS: Final = 4
_tasks: Final[SimpleQueue[Callable[[], None]]] = SimpleQueue()
_threads: Final[list[Thread]] = []
P = ParamSpec("P")
T = TypeVar("T")

LARGE: Final = 32_768
"""Bytes, or characters, of a JSON text from which on matching it with many patterns may take so long."""


async def beside(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function returns, which touches nothing that the event loop changes."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def task() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            _tell(loop, future, future.set_exception, error)
        else:
            _tell(loop, future, future.set_result, result)

    _tasks.put(task)
    if len(_threads) < _THREADS:
        _threads.append(Thread(target=_work, name=f"beside-{len(_threads)}", daemon=True))
        _threads[-1].start()
    return await future


def _work() -> None:
    while True:
        _tasks.get()()


def _tell(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], settle: Callable[[Any], None], outcome: Any
) -> None:
    """Settle a future of another thread's loop, if anybody still waits."""

    def settled() -> None:
        if not future.done():
            settle(outcome)

    try:
        loop.call_soon_threadsafe(settled)
    except RuntimeError:
        # The loop has ended.
        return
