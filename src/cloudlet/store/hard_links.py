"""Second names for files that are never written to again, and copies of stores, which have such files."""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path
from shutil import copyfileobj, copytree

_PIECE_BYTES = 1 << 20


def link_or_copy(source: str | Path, target: str | Path, *, durable: bool = True) -> None:
    """Give a file another name; one that can have no more names (ext4: 65,000) is copied. Raises OSError."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno != errno.EMLINK:
            raise
        _copy(source, target, durable=durable)


def _copy(source: str | Path, target: str | Path, *, durable: bool) -> None:
    """Copy a file; of a copy that fails nothing is left."""
    try:
        with Path(source).open("rb") as read, open(target, "xb", opener=partial(os.open, mode=0o600)) as written:
            copyfileobj(read, written, _PIECE_BYTES)
            written.flush()
            if durable:
                os.fsync(written.fileno())
    except OSError:
        Path(target).unlink(missing_ok=True)
        raise


def copy_closed(source: Path, target: Path) -> None:
    """Copy a store that nobody has open, and the blobs beside it, into a new folder.

    Data files and blobs are never written to again once they are there, so the copy shares them by hard links.
    """
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.is_dir():
            copytree(file, target / file.name, copy_function=link_or_copy)
        elif file.suffix == ".sst":
            (target / file.name).hardlink_to(file)
        elif not file.name.startswith(("LOCK", "LOG")):
            _copy(file, target / file.name, durable=True)
