"""Room on the disk, and a reserve with which a full Cloudlet starts and deletes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_KEPT_BYTES: Final = 64 << 20
_KEPT_SHARE: Final = 20
"""A small disk keeps a twentieth of its size free."""
_RESERVE_BYTES: Final = 32 << 20


def is_short(folder: Path) -> bool:
    """Whether a folder's disk has so little room that only what makes room is written."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        # What is wrong with the folder, whoever writes to it is told.
        return False
    kept = min(_KEPT_BYTES, disk.f_blocks * disk.f_frsize // _KEPT_SHARE)
    return disk.f_bavail * disk.f_frsize < kept


class DiskReserve:
    """A file that takes room, to be given up when the disk is full."""

    def __init__(self, data: Path) -> None:
        self._file = data / "reserve"

    def fill(self) -> None:
        """Take room for the reserve where it has none and the disk can spare it."""
        # A disk that cannot, or that has been filled meanwhile, goes without.
        with suppress(OSError):
            disk = os.statvfs(self._file.parent)
            size = min(_RESERVE_BYTES, disk.f_blocks * disk.f_frsize // _KEPT_SHARE)
            if self._file.exists() or disk.f_bavail * disk.f_frsize < 4 * size:
                return
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, size)
            finally:
                os.close(descriptor)

    def give_up(self) -> bool:
        """Give its room back to a full disk; return whether there was any."""
        if not is_short(self._file.parent):
            return False
        try:
            self._file.unlink()
        except FileNotFoundError:
            return False
        return True
