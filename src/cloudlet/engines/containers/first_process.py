"""The first process of a container, by a descriptor that no other process has."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

_PARENT: Final = re.compile(rb"^PPid:\s*(\d+)$", re.MULTILINE)


class FirstProcess:
    """The process that all others of a container end with."""

    def __init__(self, process: int, parent: int) -> None:
        """Take the machine's ids of the process and of its parent."""
        self.id = process
        self._descriptor = _open(process, parent)

    def send_signal(self, number: int, *, has_init: bool = False) -> None:
        """Send a signal to it, or to the program of an init process. Nothing happens where it has ended."""
        if not has_init or number == signal.SIGKILL:
            _send(self._descriptor, number)
            return
        found = _find_child(self.id)
        program = -1 if found is None or not self.is_alive() else _open(found, self.id)
        try:
            _send(program, number)
        finally:
            _close(program)

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return _send(self._descriptor, 0)

    def fileno(self) -> int:
        """Return its descriptor. Raises ProcessLookupError where it had ended from the first."""
        if self._descriptor < 0:
            raise ProcessLookupError("the container has ended")
        return self._descriptor

    def close(self) -> None:
        """Give it up."""
        _close(self._descriptor)
        self._descriptor = -1


def _open(process: int, parent: int) -> int:
    """Return a descriptor of a process that has a parent, -1 where it has ended."""
    try:
        descriptor = os.pidfd_open(process)
    except OSError:
        return -1
    # Another process may have got the id before: it has another parent.
    if _find_parent(process) == parent:
        return descriptor
    os.close(descriptor)
    return -1


def _find_parent(process: int) -> int | None:
    with suppress(OSError):
        found = _PARENT.search(Path(f"/proc/{process}/status").read_bytes())
        return None if found is None else int(found[1])
    return None


def _find_child(process: int) -> int | None:
    """Return the first child of a process that there is."""
    with suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return int(children[0]) if children else None
    return None


def _send(descriptor: int, number: int) -> bool:
    if descriptor < 0:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    return True


def _close(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)
