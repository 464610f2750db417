"""Who wants to be called when a topic is notified."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

log = logging.getLogger("cloudlet.store")


class Watches:
    """Callbacks by topic, in this process."""

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: dict[bytes, list[Callable[[], None]]] = {}

    def add(self, topic: bytes, callback: Callable[[], None]) -> Callable[[], None]:
        """Watch a topic; returns a function that ends it."""
        self._callbacks.setdefault(topic, []).append(callback)

        def cancel() -> None:
            callbacks = self._callbacks.get(topic, [])
            if callback in callbacks:
                callbacks.remove(callback)
            if not callbacks:
                self._callbacks.pop(topic, None)

        return cancel

    def call(self, topics: Iterable[bytes]) -> None:
        """Call those who watch any of `topics`."""
        for topic in topics:
            for callback in list(self._callbacks.get(topic, ())):
                try:
                    callback()
                except Exception:
                    # It is no affair of the others, nor of the transaction that is to be answered next.
                    log.exception("who watches a topic could not be told of it")

    def call_all(self) -> None:
        """Call everybody, since it is not known what was missed."""
        self.call(list(self._callbacks))
