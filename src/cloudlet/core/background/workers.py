"""Computations of seconds, done in threads beside the event loop, so that everybody else is served meanwhile.

An account has half of the threads at most. The process does not wait for them when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from cloudlet.core.background.fair_semaphore import FairSemaphore

_THREADS: Final = 4
_tasks: Final[SimpleQueue[Callable[[], None]]] = SimpleQueue()
_threads: Final[list[Thread]] = []
_places: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, FairSemaphore]] = WeakKeyDictionary()
P = ParamSpec("P")
T = TypeVar("T")

LARGE: Final = 32_768
"""Bytes, or characters, of a JSON text from which on matching it with many patterns may take so long."""


async def run_in_worker(account: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function returns, which touches nothing that the event loop changes, for an account."""
    loop = asyncio.get_running_loop()
    places = _places.get(loop)
    if places is None:
        places = _places[loop] = FairSemaphore(_THREADS, _THREADS // 2)
    await places.acquire(account)
    future: asyncio.Future[T] = loop.create_future()

    def settle(outcome: Callable[[], None]) -> None:
        # The thread is busy until now, whether anybody still waits or not.
        places.release(account)
        if not future.done():
            outcome()

    def task() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            _tell(loop, settle, partial(future.set_exception, error))
        else:
            _tell(loop, settle, partial(future.set_result, result))

    _tasks.put(task)
    if len(_threads) < _THREADS:
        _threads.append(Thread(target=_work, name=f"beside-{len(_threads)}", daemon=True))
        _threads[-1].start()
    return await future


async def offload_if(takes_long: bool, account: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function returns: from beside the event loop where it takes long, else at once."""
    if takes_long:
        return await run_in_worker(account, function, *args, **kwargs)
    return function(*args, **kwargs)


def _work() -> None:
    while True:
        _tasks.get()()


def _tell(loop: asyncio.AbstractEventLoop, settle: Callable[..., None], outcome: Callable[[], None]) -> None:
    """Settle in another thread's loop, unless that has ended."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(settle, outcome)
