"""The clock that Cloudlet runs by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from cloudlet.core.clock_setting import Setting


class _Timer:
    """A call to come."""

    __slots__ = ("callback", "handle", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.handle: asyncio.Handle | None = None


def time_by(setting: Setting) -> float:
    """Return the time that a clock with a setting shows, in seconds since the epoch."""
    return time.time() + setting.ahead if setting.frozen is None else setting.frozen


class SystemClock:
    """The system's clock, or one that is ahead of it, or stands still: see `cloudlet.core.clock.Clock`."""

    def __init__(self, setting: Setting | None = None) -> None:
        self.setting = setting or Setting()
        self._timers: set[_Timer] = set()

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return time_by(self.setting)

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once `now()` has reached `when`; return a function that cancels it."""
        timer = _Timer(when, callback)
        self._timers.add(timer)
        self._start(timer)

        def cancel() -> None:
            self._timers.discard(timer)
            if timer.handle is not None:
                timer.handle.cancel()

        return cancel

    def set(self, setting: Setting) -> None:
        """Move the clock; what is due then is called soon."""
        self.setting = setting
        for timer in self._timers:
            if timer.handle is not None:
                timer.handle.cancel()
            self._start(timer)

    def _start(self, timer: _Timer) -> None:
        left = timer.when - self.now()
        if left <= 0:
            timer.handle = asyncio.get_running_loop().call_soon(self._call, timer)
        elif self.setting.frozen is None:
            timer.handle = asyncio.get_running_loop().call_later(left, self._call, timer)
        else:
            timer.handle = None

    def _call(self, timer: _Timer) -> None:
        self._timers.discard(timer)
        timer.callback()
