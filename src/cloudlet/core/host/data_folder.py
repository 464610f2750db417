"""Who uses the data folder, and whether what is in it can be read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cloudlet.core.host.snapshots import is_amid_change, remove_leftovers
from cloudlet.store.folders import keep_private, replace_file
from cloudlet.store.format import FORMAT, UnsupportedFormat, refuse_newer

_FORMAT_FILE = "format"
_PRIVATE = ("blocks", "images", "mail", "sandboxes", "snapshots", "unpacked", "unsent", "work")
"""The folders in the data folder that hold what accounts have: rows, files, code, messages."""


class InUse(Exception):
    """Another Cloudlet uses the data folder."""


@contextmanager
def lock_exclusively(data: Path) -> Iterator[None]:
    """Have the data folder for this process alone. Raises InUse, NewerData and OSError."""
    with _locked(data, fcntl.LOCK_EX):
        remove_leftovers(data)
        yield


def lock_shared(data: Path) -> AbstractContextManager[None]:
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
        _mark(data)
        yield
    finally:
        os.close(lock)


def _mark(data: Path) -> None:
    """Have it written down how data is stored here, before any is. Raises NewerData and OSError."""
    file = data / _FORMAT_FILE
    try:
        written = int(file.read_text())
    except FileNotFoundError:
        # An older Cloudlet has been here, or none.
        written = 0
    except ValueError:
        raise UnsupportedFormat(
            f"{file} does not say how the data is stored: is this a data folder of Cloudlet?"
        ) from None
    refuse_newer(written, str(data), "--data")
    if written < FORMAT:
        replace_file(file, f"{FORMAT}\n".encode())


def restrict_to_owner(data: Path) -> None:
    """Let no other user of the machine see what the accounts have, whoever may look into the data folder itself.

    Called once the folder has been taken. Raises OSError.
    """
    for part in _PRIVATE:
        # After a crash amid a change there are no blocks, but those that are to come back.
        if part != "blocks" or not is_amid_change(data):
            keep_private(data / part)
