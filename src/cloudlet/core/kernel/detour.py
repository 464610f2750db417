"""Leaving a transaction to call other blocks, which an operation seldom has to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Detour(Exception):
    """Raised by a transaction body that needs more than a transaction.

    The transaction is undone. `answer`, which has the operation's answer, is called outside of it, may call other
    blocks and run transactions of its own, and may raise this again. An operation that is nearly always one transaction
    so costs no more than that.
    """

    def __init__(self, answer: Callable[[], Awaitable[Any]]) -> None:
        super().__init__("an answer outside of the transaction")
        self.answer = answer


async def follow(run: Callable[[], Awaitable[T]]) -> T:
    """Return what `run` does, or at the end of its detours. For callers that are no operations."""
    while True:
        try:
            return await run()
        except Detour as detour:
            run = detour.answer
