"""Second names for files that are never written to again."""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path
from shutil import copyfileobj

_PIECE_BYTES = 1 << 20


def link(source: str | Path, target: str | Path, *, durable: bool = True) -> None:
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
