"""The clock that Cloudlet runs by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from cloudlet.core.kernel.clock_setting import Setting

_LOOK_SECONDS: Final = 1.0
_JUMP_SECONDS: Final = 0.5
_EARLY_SECONDS: Final = 0.01
"""The event loop may call so much too soon: it counts milliseconds."""


wall_time: Final = time.time
"""Returns the machine's own time, in seconds since the epoch, which no test moves: for what other programs date."""


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
    """The system's clock, or one that is ahead of it, or stands still: see `cloudlet.core.kernel.clock.Clock`.

    The event loop counts seconds that the machine is awake. The system's clock goes on while it sleeps, and may be set:
    so it is looked at again and again, and timers are started anew where it has jumped.
    """

    def __init__(self, setting: Setting | None = None) -> None:
        self._show(setting or Setting())
        self._timers: set[_Timer] = set()
        self._ahead = _ahead()
        self._looking: asyncio.Handle | None = None

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return self._frozen if self._stands else time.time() + self._before

    def _show(self, setting: Setting) -> None:
        # Asked for several times a request: what a setting says is kept at hand.
        self.setting = setting
        self._stands = setting.frozen is not None
        self._frozen = setting.frozen or 0.0
        self._before = setting.ahead

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once `now()` has reached `when`; return a function that cancels it."""
        timer = _Timer(when, callback)
        self._timers.add(timer)
        self._start(timer)
        if self._looking is None:
            self._look_later()

        def cancel() -> None:
            self._timers.discard(timer)
            if timer.handle is not None:
                timer.handle.cancel()

        return cancel

    def set(self, setting: Setting) -> None:
        """Move the clock; what is due then is called soon."""
        self._show(setting)
        self._start_anew()

    def _start_anew(self) -> None:
        self._ahead = _ahead()
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
        if timer.when - self.now() > _EARLY_SECONDS:
            # The system's clock has been set back meanwhile.
            self._start_anew()
            return
        self._timers.discard(timer)
        timer.callback()

    def _look_later(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if abs(_ahead() - self._ahead) > _JUMP_SECONDS:
            self._start_anew()
        if self._timers:
            self._look_later()
        else:
            self._looking = None


def _ahead() -> float:
    """Return how many seconds the system's clock is ahead of the one that the event loop counts by."""
    return time.time() - time.monotonic()
