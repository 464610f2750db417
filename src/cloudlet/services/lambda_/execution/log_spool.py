"""Log events of functions on their way to CloudWatch Logs, in files that outlive a killed process.

A log stream has a file, locked by the process that writes it: where it was sent, and the events. A file that nobody has
locked is of a process that is gone. Its events are sent by whoever finds it, once more where they were sent already.
The disk is not waited for: what the machine loses with its power may be lost.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes

_FRESH = ".fresh-"
_KIND = ".log"

Event = tuple[int, str]
"""Milliseconds since the epoch, and what was printed then."""


class Address(msgspec.Struct, frozen=True):
    """Where a log stream is."""

    account: str
    region: str
    group: str
    stream: str
    function: str = ""
    role: str = ""
    """By which Lambda writes there for the function."""


def _folder(block: Block) -> Path:
    return block.cloud.config.data / "unsent" / block.service.name


class LogSpool:
    """The file of one log stream, made when there is something to write."""

    def __init__(self, block: Block, address: Address) -> None:
        self._folder = _folder(block)
        self._path = self._folder / f"{random_bytes(16).hex()}{_KIND}"
        self._address = msgspec.json.encode(address) + b"\n"
        self._file = -1

    def add(self, events: Iterable[Event]) -> None:
        """Write events behind those that are there. Raises OSError."""
        if self._file < 0:
            self._open()
        os.write(self._file, b"".join(msgspec.json.encode(event) + b"\n" for event in events))

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._folder / f"{_FRESH}{self._path.name}"
        self._file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        os.write(self._file, self._address)
        # Nobody has found it before it was locked.
        fresh.rename(self._path)

    def replace(self, events: Iterable[Event]) -> None:
        """Have these events there and no others. Raises OSError."""
        if self._file >= 0:
            os.ftruncate(self._file, len(self._address))
            self.add(events)

    def close(self, *, keep: bool) -> None:
        """Remove the file, or let it be found."""
        if self._file >= 0:
            if not keep:
                self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1


@contextmanager
def left(file: Path) -> Iterator[tuple[Address, list[Event]] | None]:
    """Take a file over from a process that is gone, where one has left it; it is removed at the end, if all goes well.

    Raises OSError. What the process was about to write when it ended is not there.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        first, *lines = file.read_bytes().split(b"\n")[:-1] or [b""]
        yield msgspec.json.decode(first, type=Address), [msgspec.json.decode(line, type=Event) for line in lines]
        file.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def files(block: Block) -> list[Path]:
    """Return the files of all log streams. Waits for the disk."""
    return sorted(_folder(block).glob(f"*{_KIND}"))
