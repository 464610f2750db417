"""Needs of operations from elsewhere, before their transaction can be run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any


class Prerequisite(Exception):
    """Raised by a transactional operation: `fetch` this first, then run me again.

    The transaction is undone, and others do not wait for what is fetched from another block. It is kept in memory by
    those who fetch it. What `fetch` raises is the operation's error.
    """

    def __init__(self, fetch: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__("something is to be fetched first")
        self.fetch = fetch
