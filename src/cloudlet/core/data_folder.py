"""Who uses the data folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cloudlet.core.snapshots import is_amid_change, remove_leftovers
from cloudlet.store.folders import keep_private


class InUse(Exception):
    """Another Cloudlet uses the data folder."""


@contextmanager
def exclusively(data: Path) -> Iterator[None]:
    """Have the data folder for this process alone. Raises InUse and OSError."""
    with _locked(data, fcntl.LOCK_EX):
        remove_leftovers(data)
        yield


def together(data: Path) -> AbstractContextManager[None]:
    """Use the data folder together with other processes that do this, each for other blocks. Raises as above."""
    return _locked(data, fcntl.LOCK_SH)


@contextmanager
def _locked(data: Path, how: int) -> Iterator[None]:
    lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"another Cloudlet uses {data}: stop it (cloudlet down) or name another --data") from None
        yield
    finally:
        os.close(lock)


def close_to_others(data: Path) -> None:
    """Let no other user of the machine see what the accounts have, whoever may look into the data folder itself.

    Called once the folder has been taken. Raises OSError.
    """
    if not is_amid_change(data):
        for part in ("blocks", "snapshots"):
            keep_private(data / part)
