"""Output of containers: lines in a file, to be read at any pace.

Each is a JSON object: `t`, the time in milliseconds since the epoch; `s`, "stdout" or "stderr"; `l`, the text; and
`p` where more of the line follows. A file that has grown large is renamed, in the place of the one before, and a new
one begun.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

_CHUNK_BYTES: Final = 64 * 1024
_MAX_LINE_BYTES: Final = 16 * 1024
"""Longer lines are cut into parts, as Docker does."""
_encode: Final = msgspec.json.Encoder().encode
Stream = Literal["stdout", "stderr"]
NowFunction = Callable[[], float]
"""A function that returns the time in seconds since the epoch."""


class LogFile:
    """A file of lines, and the one before it."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Go on with the file at `path`. Raises OSError."""
        self._path = path
        self._max_bytes = max_bytes
        self._file = self._open()

    def _open(self) -> BinaryIO:
        return self._path.open("ab", buffering=0)

    def write(self, lines: bytes) -> None:
        """Append lines."""
        if self._file.tell() + len(lines) > self._max_bytes // 2:
            self._file.close()
            self._path.replace(self._path.with_suffix(".before"))
            self._file = self._open()
        self._file.write(lines)

    def close(self) -> None:
        self._file.close()


class Pump:
    """A copier of lines from a pipe to a log file."""

    def __init__(self, pipe: int, stream: Stream, log: LogFile, now: NowFunction) -> None:
        """`pipe` is the descriptor of its reading end, which is closed when nothing more comes."""
        self._pipe = pipe
        self._stream = stream
        self._log = log
        self._now = now
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(pipe, False)
        self._loop.add_reader(pipe, self._read)

    def _read(self) -> None:
        try:
            chunk = os.read(self._pipe, _CHUNK_BYTES)
        except BlockingIOError:
            return
        lines = self._take(chunk)
        if lines:
            self._log.write(lines)
        if not chunk:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self.ended.set_result(None)

    def _take(self, chunk: bytes) -> bytes:
        """Return the lines that a chunk completes, encoded; of an empty one the rest."""
        *complete, rest = (self._rest + chunk).split(b"\n")
        parts = [(line, False) for line in complete]
        while len(rest) > _MAX_LINE_BYTES:
            parts.append((rest[:_MAX_LINE_BYTES], True))
            rest = rest[_MAX_LINE_BYTES:]
        if not chunk and rest:
            parts.append((rest, False))
            rest = b""
        self._rest = rest
        time = int(self._now() * 1000)
        return b"".join(self._encode(time, line, has_more=has_more) for line, has_more in parts)

    def _encode(self, time: int, line: bytes, *, has_more: bool) -> bytes:
        said: dict[str, object] = {"t": time, "s": self._stream, "l": line.decode(errors="replace")}
        if has_more:
            said["p"] = True
        return _encode(said) + b"\n"
