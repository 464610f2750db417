"""Folders for as long as a process is there, and what is left of those whose process was killed.

Each has a file that its process has locked, from before the folder has its name until the end: so one of which the file
is not locked is nobody's, whoever has that process's id by now.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import stat
import tempfile
from pathlib import Path
from threading import Thread
from typing import Final
from weakref import finalize

from cloudlet.store.folders import make_private

log = logging.getLogger("cloudlet.core")

_PREFIX: Final = "cloudlet-tmp-"
_LOCK: Final = "lock"


class TemporaryFolder:
    """A folder which only this user can look into; it goes with this process.

    It is in the one for temporary files, or in `parent`, which is made where it is missing. Raises OSError.
    """

    def __init__(self, parent: Path | None = None) -> None:
        if parent is None:
            parent = Path(tempfile.gettempdir())
        else:
            make_private(parent)
        # Nobody waits for what others have left to be removed; what this process does not come to, the next one does.
        Thread(target=_sweep, args=(parent,), name="sweep", daemon=True).start()
        # Under its final name others look whether it is locked.
        fresh = Path(tempfile.mkdtemp(prefix="cloudlet-", dir=parent))
        lock = os.open(fresh / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.path = fresh.rename(fresh.with_name(_PREFIX + fresh.name.removeprefix("cloudlet-")))
        self.close = finalize(self, _end, self.path, lock)
        """Removes it, which the end of the process does too."""


def _end(folder: Path, lock: int) -> None:
    try:
        _remove(folder)
    except FileNotFoundError:
        # It went with the folder that it was in.
        pass
    except OSError as error:
        log.warning("%s cannot be removed: %s", folder, error)
    os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove this user's folders whose processes have gone."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            _remove_if_nobodys(folder)
        except OSError as error:
            log.warning("%s is left of a process that has gone, and cannot be removed: %s", folder, error)


def _remove_if_nobodys(folder: Path) -> None:
    try:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        # It has just gone, or is not one of ours.
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        _remove(folder)
    finally:
        os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder that this process has locked; its lock last, so that what is left of a half is found again."""
    entries = [entry for entry in folder.iterdir() if entry.name != _LOCK]
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    if not any(entry.exists() for entry in entries):
        shutil.rmtree(folder, ignore_errors=True)
