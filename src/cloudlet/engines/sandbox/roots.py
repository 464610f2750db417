"""Folders that sandboxes have as their root: unpacked images.

What a sandbox puts into its root needs a place there, which is made when the folder is, since it is read-only later on.
"""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDERS = ("/proc", "/dev", "/tmp")  # noqa: S108 - those of the sandbox
SETTINGS = ("/etc/resolv.conf",)
"""Of the machine: what a program needs to find hosts."""
_PUT = ("/etc/hosts", *SETTINGS)


def prepare(root: Path) -> None:
    """Have places in a root for what a sandbox puts there. What is there instead of such a place is replaced.

    Raises NotADirectoryError where a folder above such a place is none, or a link.
    """
    for name in FOLDERS:
        folder = _replaceable(root, name)
        if folder.is_symlink() or not folder.is_dir():
            folder.unlink(missing_ok=True)
            folder.mkdir()
            folder.chmod(0o755)
    for name in _PUT:
        file = _replaceable(root, name)
        if file.is_symlink() or not file.is_file():
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            file.unlink(missing_ok=True)
            file.touch(0o644)


def _replaceable(root: Path, name: str) -> Path:
    path = root / name[1:]
    parent = path.parent
    if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
        raise NotADirectoryError(f"{parent.relative_to(root)} is no folder")
    if not parent.exists():
        parent.mkdir()
        parent.chmod(0o755)
    return path
