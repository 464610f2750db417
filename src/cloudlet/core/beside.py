"""Computations of seconds, done in threads beside the event loop, so that everybody else is served meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

_THREADS: Final = 4
_pool: Final = ThreadPoolExecutor(_THREADS, "beside")
P = ParamSpec("P")
T = TypeVar("T")

LARGE: Final = 32_768
"""Bytes, or characters, of a JSON text from which on matching it with many patterns may take so long."""


async def beside(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function returns, which touches nothing that the event loop changes."""
    return await asyncio.get_running_loop().run_in_executor(_pool, lambda: function(*args, **kwargs))
