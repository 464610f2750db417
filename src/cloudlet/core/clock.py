"""The one source of time, which can be moved: a test of a one-day schedule takes a second."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec


class Setting(msgspec.Struct, frozen=True):
    """How a clock differs from the system's. Both in seconds."""

    ahead: float = 0.0
    """How much it is before the system's clock while it runs."""
    frozen: float | None = None
    """The time at which it stands still (since the epoch, UTC)."""


class _Timer:
    """A call to come."""

    __slots__ = ("callback", "handle", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.handle: asyncio.Handle | None = None


class Clock:
    """Seconds since the epoch (UTC), and timers that follow them. Used from one event loop."""

    def __init__(self, setting: Setting | None = None) -> None:
        self._setting = setting or Setting()
        self._timers: set[_Timer] = set()

    @property
    def setting(self) -> Setting:
        return self._setting

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        setting = self._setting
        return time.time() + setting.ahead if setting.frozen is None else setting.frozen

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
        self._setting = setting
        for timer in self._timers:
            if timer.handle is not None:
                timer.handle.cancel()
            self._start(timer)

    def _start(self, timer: _Timer) -> None:
        left = timer.when - self.now()
        if left <= 0:
            timer.handle = asyncio.get_running_loop().call_soon(self._call, timer)
        elif self._setting.frozen is None:
            timer.handle = asyncio.get_running_loop().call_later(left, self._call, timer)
        else:
            timer.handle = None

    def _call(self, timer: _Timer) -> None:
        self._timers.discard(timer)
        timer.callback()


def frozen(setting: Setting, at: float | None = None) -> Setting:
    """Return the setting of a clock that stands still: where it is, or at a time in seconds since the epoch."""
    return Setting(setting.ahead, Clock(setting).now() if at is None else at)


def advanced(setting: Setting, seconds: float) -> Setting:
    """Return the setting of a clock that is `seconds` further on; it stands still if it did."""
    if setting.frozen is not None:
        return Setting(setting.ahead, setting.frozen + seconds)
    return Setting(setting.ahead + seconds)


def resumed(setting: Setting) -> Setting:
    """Return the setting of a clock that goes on from where it stands."""
    return setting if setting.frozen is None else Setting(setting.frozen - time.time())


def load(file: Path) -> Setting:
    """Return the setting that was kept in a file, that of the system's clock where none was."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Setting)
    except FileNotFoundError:
        return Setting()


def keep(file: Path, setting: Setting) -> None:
    """Write a setting to a file, durably."""
    fresh = file.with_suffix(".fresh")
    with fresh.open("wb") as out:
        out.write(msgspec.json.encode(setting))
        out.flush()
        os.fsync(out.fileno())
    fresh.rename(file)
