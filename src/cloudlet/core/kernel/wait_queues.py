"""Requests that wait for something to change, such as a long poll on an empty queue.

Waiting requests stand in line, one line a topic. A change wakes the first; each that is served wakes two more, and
one that still finds nothing goes back to its place. So one message does not wake a thousand receivers, and a thousand
messages do.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

from cloudlet.core.kernel.clock import Clock
from cloudlet.store import Store


class Wait(Exception):
    """Raised by an operation: run me again when `topic` is notified, or at `wake_at`; at `until`, answer `otherwise`.

    Times are seconds since the epoch. The transaction is undone.
    """

    def __init__(self, topic: bytes, *, until: float, otherwise: Any, wake_at: float | None = None) -> None:
        super().__init__(topic)
        self.topic = topic
        self.until = until
        self.otherwise = otherwise
        self.wake_at = wake_at


class Waiter(Protocol):
    """A request that can be tried again."""

    def retry(self) -> None:
        """Run the operation again."""

    def expire(self, answer: Any) -> None:
        """Answer without having found anything."""


class _Line:
    """Those who wait for one topic, in order of arrival."""

    __slots__ = ("again", "cancel_timer", "end_watch", "parked", "trying", "wake_at")

    def __init__(self) -> None:
        self.parked: OrderedDict[Waiter, None] = OrderedDict()
        self.trying = 0
        self.again = False
        self.wake_at: float | None = None
        self.cancel_timer: Callable[[], None] | None = None
        self.end_watch: Callable[[], None] | None = None


class WaitQueues:
    """All lines of one block."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lines: dict[bytes, _Line] = {}
        self._deadlines: dict[Waiter, Callable[[], None]] = {}
        self._topics: dict[Waiter, bytes] = {}
        self._answers: dict[Waiter, Any] = {}

    def __len__(self) -> int:
        return len(self._topics)

    def enqueue(self, waiter: Waiter, wait: Wait) -> None:
        """Put `waiter` in its line, or back where it stood."""
        topic = wait.topic
        line = self._lines.get(topic)
        if line is None:
            line = self._lines[topic] = _Line()
            line.end_watch = self._store.watch(topic, lambda: self._changed(topic))
        line.parked[waiter] = None
        if waiter in self._topics:
            line.parked.move_to_end(waiter, last=False)
            line.trying -= 1
        else:
            self._topics[waiter] = topic
            self._answers[waiter] = wait.otherwise
            self._deadlines[waiter] = self._deadline(wait.until, waiter)
        self._set_timer(topic, line, wait.wake_at)
        if line.again and not line.trying:
            line.again = False
            self._try(line, 1)

    def leave(self, waiter: Waiter) -> None:
        """Take `waiter` out: it was served, or its client has gone."""
        topic = self._topics.pop(waiter, None)
        if topic is None:
            return
        self._deadlines.pop(waiter)()
        del self._answers[waiter]
        line = self._lines[topic]
        if waiter in line.parked:
            del line.parked[waiter]
        else:
            line.trying -= 1
            self._try(line, 2)
        if not line.parked and not line.trying:
            self._close(topic, line)

    def release_all(self) -> None:
        """Answer all who wait as if their time were up: the block is closing."""
        for waiter, answer in list(self._answers.items()):
            self.leave(waiter)
            waiter.expire(answer)

    def _changed(self, topic: bytes) -> None:
        line = self._lines.get(topic)
        if line is None:
            return
        if line.trying:
            line.again = True
        else:
            self._try(line, 1)

    def _try(self, line: _Line, count: int) -> None:
        for _ in range(min(count, len(line.parked))):
            waiter, _ = line.parked.popitem(last=False)
            line.trying += 1
            # Not at once: a waiter that is served within its call would wake the next within its own.
            asyncio.get_running_loop().call_soon(waiter.retry)

    def _deadline(self, until: float, waiter: Waiter) -> Callable[[], None]:
        """Let a waiter's time be up then, and after as many real seconds though the clock stand."""
        cancel = self._clock.call_at(until, lambda: self._expire(waiter))
        real = asyncio.get_running_loop().call_later(max(0.0, until - self._clock.now()), self._expire, waiter)

        def cancel_both() -> None:
            cancel()
            real.cancel()

        return cancel_both

    def _expire(self, waiter: Waiter) -> None:
        topic = self._topics.get(waiter)
        if topic is None:
            return
        if waiter not in self._lines[topic].parked:
            # It is being tried right now: if that finds nothing, it is parked again and expires then.
            self._deadlines[waiter] = asyncio.get_running_loop().call_later(0.001, self._expire, waiter).cancel
            return
        answer = self._answers[waiter]
        self.leave(waiter)
        waiter.expire(answer)

    def _set_timer(self, topic: bytes, line: _Line, wake_at: float | None) -> None:
        if wake_at is None or (line.wake_at is not None and line.wake_at <= wake_at):
            return
        if line.cancel_timer is not None:
            line.cancel_timer()

        def wake() -> None:
            line.wake_at = line.cancel_timer = None
            self._changed(topic)

        line.wake_at = wake_at
        line.cancel_timer = self._clock.call_at(wake_at, wake)

    def _close(self, topic: bytes, line: _Line) -> None:
        if line.cancel_timer is not None:
            line.cancel_timer()
        if line.end_watch is not None:
            line.end_watch()
        self._lines.pop(topic, None)
