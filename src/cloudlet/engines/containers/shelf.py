"""Folders of the machine under names that containers' users can reach.

As root, containers have users of their own, who may not go through private folders such as a data folder. So the
keeper has a mount namespace, in which it binds what a container is given to places that are open to all. Nobody else
on the machine sees them, and they go with the keeper.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS: Final = 0x00020000
_MS_BIND: Final = 4096
_MS_REC: Final = 16384
_MS_SLAVE: Final = 1 << 19
_MNT_DETACH: Final = 2
_PREFIX: Final = "cloudlet-shelf-"


def enter_mount_namespace() -> None:
    """Give this process a mount namespace, in which it sees the machine's mounts. Only before it has threads.

    Raises OSError.
    """
    if _libc.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "a mount namespace cannot be made")
    _mount("none", "/", "", _MS_REC | _MS_SLAVE)


class Shelf:
    """Places for folders and files. Used where this process has a mount namespace of its own."""

    def __init__(self) -> None:
        """Make it, and remove what processes have left that are no more. Raises OSError."""
        self._folder = Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getpid()}"
        for left in self._folder.parent.glob(f"{_PREFIX}*"):
            if not Path(f"/proc/{left.name.rpartition('-')[2]}").exists():
                with suppress(OSError):
                    left.rmdir()
        self._folder.mkdir(mode=0o755, exist_ok=True)
        _mount("tmpfs", str(self._folder), "tmpfs", 0, "mode=0755")
        # Several threads put something there at once: what `count` gives, it gives once.
        self._numbers = count()

    def put(self, source: str | Path) -> str:
        """Return a name for a folder or a file. Raises OSError."""
        name = self._folder / str(next(self._numbers))
        if Path(source).is_dir():
            name.mkdir()
        else:
            name.touch()
        _mount(str(source), str(name), "", _MS_BIND | _MS_REC)
        return str(name)

    def take_away(self, names: Iterable[str]) -> None:
        """Give names up. Containers that have started keep what they see."""
        for name in names:
            _libc.umount2(os.fsencode(name), _MNT_DETACH)
            with suppress(OSError):
                path = Path(name)
                if path.is_dir():
                    path.rmdir()
                else:
                    path.unlink()

    def close(self) -> None:
        """Remove it."""
        _libc.umount2(os.fsencode(self._folder), _MNT_DETACH)
        with suppress(OSError):
            self._folder.rmdir()


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    words = (os.fsencode(each) for each in (source, target, kind))
    if _libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(options)) != 0:
        raise OSError(ctypes.get_errno(), f"{source} cannot be mounted: {os.strerror(ctypes.get_errno())}")
