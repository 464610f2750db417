"""Moving the clock: of this process, of the blocks that run in others, and of what starts later.

Where several processes share a PostgreSQL, it has how the clock is set, and all of them follow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from cloudlet.core.host.shared_state import SharedState
from cloudlet.core.kernel import clock_setting as settings
from cloudlet.core.kernel.clock_setting import Setting
from cloudlet.core.kernel.system_clock import SystemClock, time_by, wall_time
from cloudlet.store import StoreError

log = logging.getLogger("cloudlet.edge")

FILE = "clock.json"

_RETRY_SECONDS = 1.0
_LATEST = 253_402_300_799.0
"""The end of the year 9999: what is later has no date."""

Tell = Callable[[Setting], Awaitable[None]]


class ClockError(Exception):
    """The clock cannot be moved like that; the text says why."""


class _To(msgspec.Struct, frozen=True):
    """The body of a request to freeze: seconds since the epoch, or nothing for now."""

    time: float | None = None


class _By(msgspec.Struct, frozen=True):
    seconds: float


class ClockControl:
    """The clock of a whole Cloudlet. `tell` lets those know who run in other processes.

    `shared` has how it is set, where that is for all processes on a database.
    """

    def __init__(self, clock: SystemClock, data: Path, tell: Tell | None, shared: SharedState | None) -> None:
        self._clock = clock
        self._file = data / FILE
        self._tell = tell
        self._shared = shared
        self._lock = asyncio.Lock()

    def describe(self) -> dict[str, Any]:
        """Return the time in seconds since the epoch, whether it stands, and how much it is before the system's."""
        now = self._clock.now()
        return {"now": now, "frozen": self._clock.setting.frozen is not None, "ahead": now - wall_time()}

    async def move(self, action: str, body: bytes) -> None:
        """Do what a request asks for: freeze, advance, resume, reset. Raises Rejected, StoreError."""
        async with self._lock:
            if self._shared is None:
                setting = _moved(self._clock.setting, action, body)
            else:
                setting = await self._shared.set_clock(lambda setting: _moved(setting, action, body))
            await self._take(setting)

    async def _take(self, setting: Setting) -> None:
        await asyncio.to_thread(settings.save, self._file, setting)
        self._clock.set(setting)
        if self._tell is not None:
            await self._tell(setting)

    async def look(self) -> None:
        """Take over how the clock is set for all processes, where that is so. Raises StoreError."""
        if self._shared is not None:
            async with self._lock:
                setting = await self._shared.clock()
                if setting is not None and setting != self._clock.setting:
                    await self._take(setting)

    async def follow(self) -> None:
        """Look again whenever another process may have moved the clock."""
        if self._shared is None:
            return
        moved = asyncio.Event()
        self._shared.watch_clock(moved.set)
        while True:
            try:
                moved.clear()
                await self.look()
            except (StoreError, OSError) as error:
                log.debug("how the clock is set is not known: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                await moved.wait()

    def set(self, body: bytes) -> None:
        """Take over the setting of the process that supervises this one."""
        self._clock.set(msgspec.json.decode(body, type=Setting))


def _moved(setting: Setting, action: str, body: bytes) -> Setting:
    try:
        match action:
            case "freeze":
                at = msgspec.json.decode(body or b"{}", type=_To).time
                moved = settings.freeze(setting, time_by(setting) if at is None else at)
            case "advance":
                moved = settings.advance(setting, msgspec.json.decode(body, type=_By).seconds)
            case "resume":
                moved = settings.resume(setting)
            case _:
                moved = Setting()
    except msgspec.DecodeError as error:
        raise ClockError(f"not what {action} takes: {error}") from error
    if not 0 <= time_by(moved) <= _LATEST:
        raise ClockError("the clock goes from 1970 to 9999")
    return moved
