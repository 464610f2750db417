"""How Cloudlet's clock is set, and how that is kept."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from cloudlet.store.folders import replace_file


class Setting(msgspec.Struct, frozen=True):
    """How a clock differs from the system's. Both in seconds."""

    ahead: float = 0.0
    """How much it is before the system's clock while it runs."""
    frozen: float | None = None
    """The time at which it stands still (since the epoch, UTC)."""


def freeze(setting: Setting, at: float) -> Setting:
    """Return the setting of a clock that stands still at a time in seconds since the epoch."""
    return Setting(setting.ahead, at)


def advance(setting: Setting, seconds: float) -> Setting:
    """Return the setting of a clock that is `seconds` further on; it stands still if it did."""
    if setting.frozen is not None:
        return Setting(setting.ahead, setting.frozen + seconds)
    return Setting(setting.ahead + seconds)


def resume(setting: Setting) -> Setting:
    """Return the setting of a clock that goes on from where it stands."""
    return setting if setting.frozen is None else Setting(setting.frozen - time.time())


def load(file: Path) -> Setting:
    """Return the setting that was kept in a file, that of the system's clock where none was."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Setting)
    except FileNotFoundError:
        return Setting()


def save(file: Path, setting: Setting) -> None:
    """Write a setting to a file, durably."""
    replace_file(file, msgspec.json.encode(setting))
