"""Folders: that what is in them is on disk, and that nobody else looks into them."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder are on disk: they are there after a loss of power. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(file: Path, content: bytes) -> None:
    """Write a file as a whole: after a loss of power it has this, or what it had before. Raises OSError."""
    fresh = file.with_suffix(f".{os.getpid()}")
    with fresh.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.rename(file)
    sync_folder(file.parent)


def make_private(folder: Path) -> None:
    """Create a folder into which only this user can look, where there is none. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def keep_private(folder: Path) -> None:
    """The same for a folder that is nobody else's business: one that others can look into is closed. Raises OSError."""
    make_private(folder)
    status = folder.stat()
    if status.st_mode & 0o077 and status.st_uid == os.getuid():
        folder.chmod(0o700)
