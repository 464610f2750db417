"""Readings of an Envoy's counters, which go on where the block is restarted."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec

from cloudlet.engines.envoy import statistics
from cloudlet.engines.envoy.statistics import Statistics

_FILE: Final = "counters"


class Readings:
    """The last reading of an Envoy, which is kept in a file beside it."""

    def __init__(self, folder: Path, admin: Path) -> None:
        self._file = folder / _FILE
        self._admin = admin
        self._last: Statistics | None = None
        self._reading = asyncio.Lock()

    async def take(self, pattern: str) -> Statistics:
        """Return what was counted since the last reading. Raises OSError."""
        async with self._reading:
            now = await statistics.read(self._admin, pattern)
            before = await asyncio.to_thread(self._load) if self._last is None else self._last
            self._last = now
            await asyncio.to_thread(self._save, now)
            return now - before

    def forget(self) -> None:
        """Begin anew with an Envoy that is about to start. Raises OSError."""
        self._last = None
        self._file.unlink(missing_ok=True)

    def _load(self) -> Statistics:
        try:
            values, histograms = msgspec.msgpack.decode(self._file.read_bytes(), type=_Stored)
        except (OSError, msgspec.DecodeError):
            # Nothing was read of this Envoy yet.
            return Statistics()
        return Statistics(Counter(values), {name: Counter(counts) for name, counts in histograms.items()})

    def _save(self, now: Statistics) -> None:
        new = self._file.with_suffix(".new")
        new.write_bytes(msgspec.msgpack.encode((now.values, now.histograms)))
        new.replace(self._file)


_Stored: Final[Any] = tuple[dict[str, int], dict[str, dict[float, int]]]
