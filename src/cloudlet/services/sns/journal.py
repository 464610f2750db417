"""Files in the data folder to which deliveries go that leave the cloud: one JSON object a line, the newest last."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

_SHOWN = 100
_BLOCK_BYTES = 65_536
_READ_BYTES = 16 * 1_048_576
"""As much as is read of a file to show its end."""


async def append(file: Path, record: Mapping[str, Any]) -> None:
    """Write a record; return once it is on disk. Raises OSError."""
    await asyncio.to_thread(_append, file, msgspec.json.encode(record) + b"\n")


def _append(file: Path, line: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, "only a part of the record could be written", str(file))
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


async def page(file: Path) -> tuple[str, bytes]:
    """Return the newest 100 records, the newest first, as a page to read: a JSON list."""
    return "application/json", await asyncio.to_thread(_page, file)


def _page(file: Path) -> bytes:
    return b"[" + b",".join(reversed(_last_lines(file))) + b"]"


def _last_lines(file: Path) -> list[bytes]:
    try:
        source = file.open("rb")
    except FileNotFoundError:
        return []
    with source:
        at = source.seek(0, os.SEEK_END)
        first = max(0, at - _READ_BYTES)
        end = b""
        while at > first and end.count(b"\n") <= _SHOWN:
            begin = max(first, at - _BLOCK_BYTES)
            source.seek(begin)
            end = source.read(at - begin) + end
            at = begin
    lines = end.split(b"\n")
    # What follows the last line's end was cut off by a crash; what precedes the first, by reading only the end.
    return lines[1 if at else 0 : -1][-_SHOWN:]
