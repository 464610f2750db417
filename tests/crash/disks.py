"""Disks of their own for tests: small ones, and ones that lose their power. Only root can mount them."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_EXT4_IOC_SHUTDOWN = 0x8004587D
_WITHOUT_FLUSHING_ITS_LOG = 2

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a disk")


def make(image: Path, mebibytes: int) -> None:
    """Make a disk: a file with an empty ext4 file system, which keeps nothing back for root."""
    with image.open("wb") as file:
        file.truncate(mebibytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """Have a disk mounted at a folder, which is made."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        _replace_by_copy(image)


def _replace_by_copy(image: Path) -> None:
    """Have a disk be another one for the next mount.

    A sandbox of another test may still have it in its mount namespace: the file system that has lost its power would be
    mounted again as it is.
    """
    copy = image.with_suffix(".copy")
    subprocess.run(["cp", "--sparse=always", image, copy], check=True)
    copy.replace(image)


def cut_power(folder: Path) -> None:
    """Have a mounted disk lose all that was not synchronised, and take nothing more until it is mounted again."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _EXT4_IOC_SHUTDOWN, struct.pack("I", _WITHOUT_FLUSHING_ITS_LOG))
    finally:
        os.close(descriptor)


def fill(folder: Path) -> Path:
    """Take all the room that a disk has left; return the file that has it."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        size = 16 << 20
        while size >= 4096:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), size)
            except OSError:
                size //= 2
    return ballast
