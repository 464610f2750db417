"""Times as alarms write them. All are seconds since the epoch, and UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(time: float) -> str:
    """Return a time as `2019-10-01T13:56:40.985+0000`."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def short(time: float) -> str:
    """Return a time as reasons have those of datapoints: `02/10/19 16:59:00`."""
    return datetime.fromtimestamp(time, UTC).strftime("%d/%m/%y %H:%M:%S")


def spoken(time: float) -> str:
    """Return a time as reasons have those of changes: `Friday 14 August, 2020 15:41:26 UTC`."""
    return datetime.fromtimestamp(time, UTC).strftime("%A %d %B, %Y %H:%M:%S UTC")
