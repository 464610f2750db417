"""User ids of containers: a range of the machine's ids that nobody else has.

As root Cloudlet gives containers 65,536 ids, from 0 on, which are others outside: so images run as they are, with users
of their own. Files of images and volumes belong to these ids. An ordinary user has one id, which is whatever
a container's program runs as: a program that changes its user, as many images do at their start, fails there.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Final

FIRST_ID: Final = 1_700_000_000
"""Outside a container: the id of its root."""
IDS: Final = 65_536
_CLONE_NEWUSER: Final = 0x10000000
_libc: Final = ctypes.CDLL(None, use_errno=True)
_making: Final = Lock()


def have_ranges() -> bool:
    """Whether containers have all ids of their own."""
    return os.geteuid() == 0


def to_machine(number: int) -> int:
    """Return the machine's id of one of a container. An image's that are beyond the range are its last one."""
    return FIRST_ID + min(max(number, 0), IDS - 1) if have_ranges() else os.geteuid()


def give(path: Path) -> None:
    """Have a file or folder belong to the root of containers. Raises OSError."""
    if have_ranges():
        os.chown(path, to_machine(0), to_machine(0), follow_symlinks=False)


def open_namespace() -> int:
    """Return the descriptor of the user namespace of containers. For root only. Raises OSError."""
    # Of two threads that make it at once, each would get its own, and one is forgotten.
    with _making:
        return _open_namespace()


@lru_cache(1)
def _open_namespace() -> int:
    made_reading, made_writing = os.pipe()
    done_reading, done_writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        # Nothing but system calls: other threads of the parent may have held locks.
        os.close(done_writing)
        os.write(made_writing, b"\1" if _libc.unshare(_CLONE_NEWUSER) == 0 else b"\0")
        os.read(done_reading, 1)
        os._exit(0)
    try:
        os.close(done_reading)
        if os.read(made_reading, 1) != b"\1":
            raise OSError("a user namespace for containers cannot be made")
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text(f"0 {FIRST_ID} {IDS}", encoding="ascii")
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(done_writing)
        os.close(made_reading)
        os.close(made_writing)
        os.waitpid(pid, 0)
