"""Moving the clock: of this process, of the blocks that run in others, and of what starts later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from cloudlet.core import clock_setting as settings
from cloudlet.core.clock_setting import Setting
from cloudlet.core.system_clock import SystemClock, time_by, wall_time

FILE = "clock.json"

_LATEST = 253_402_300_799.0
"""The end of the year 9999: what is later has no date."""

Tell = Callable[[Setting], Awaitable[None]]


class Rejected(Exception):
    """The clock cannot be moved like that; the text says why."""


class _To(msgspec.Struct, frozen=True):
    """The body of a request to freeze: seconds since the epoch, or nothing for now."""

    time: float | None = None


class _By(msgspec.Struct, frozen=True):
    seconds: float


class MovableTime:
    """The clock of a whole Cloudlet. `tell` lets those know who run in other processes."""

    def __init__(self, clock: SystemClock, data: Path, tell: Tell | None) -> None:
        self._clock = clock
        self._file = data / FILE
        self._tell = tell
        self._lock = asyncio.Lock()

    def shown(self) -> dict[str, Any]:
        """Return the time in seconds since the epoch, whether it stands, and how much it is before the system's."""
        now = self._clock.now()
        return {"now": now, "frozen": self._clock.setting.frozen is not None, "ahead": now - wall_time()}

    async def move(self, action: str, body: bytes) -> None:
        """Do what a request asks for: freeze, advance, resume, reset. Raises Rejected."""
        async with self._lock:
            setting = _moved(self._clock.setting, action, body)
            await asyncio.to_thread(settings.keep, self._file, setting)
            self._clock.set(setting)
            if self._tell is not None:
                await self._tell(setting)

    def set(self, body: bytes) -> None:
        """Take over the setting of the process that supervises this one."""
        self._clock.set(msgspec.json.decode(body, type=Setting))


def _moved(setting: Setting, action: str, body: bytes) -> Setting:
    try:
        match action:
            case "freeze":
                at = msgspec.json.decode(body or b"{}", type=_To).time
                moved = settings.frozen(setting, time_by(setting) if at is None else at)
            case "advance":
                moved = settings.advanced(setting, msgspec.json.decode(body, type=_By).seconds)
            case "resume":
                moved = settings.resumed(setting)
            case _:
                moved = Setting()
    except msgspec.DecodeError as error:
        raise Rejected(f"not what {action} takes: {error}") from error
    if not 0 <= time_by(moved) <= _LATEST:
        raise Rejected("the clock goes from 1970 to 9999")
    return moved
