"""Output of containers: lines in a file, to be read at any pace.

Each is a JSON object: `t`, the time in milliseconds since the epoch; `s`, "stdout" or "stderr"; `l`, the text; and
`p` where more of the line follows. A file that has grown large is renamed, in the place of the one before, and a new
one begun.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final, Literal

import msgspec

from cloudlet.engines.containers.pipes import PipeReader
from cloudlet.store.eager import spawn

log = logging.getLogger("cloudlet.engines")

_RETRY_SECONDS: Final = 0.5
_CHUNK_BYTES: Final = 64 * 1024
_MAX_LINE_BYTES: Final = 16 * 1024
"""Longer lines are cut into parts, as Docker does."""
_encode: Final = msgspec.json.Encoder().encode
Stream = Literal["stdout", "stderr"]
NowFunction = Callable[[], float]
"""A function that returns the time in seconds since the epoch."""


class LogFile:
    """A file of lines, and the one before it. Used from one event loop, which never waits for the disk."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Go on with the file at `path`. Raises OSError."""
        self._path = path
        self._max_bytes = max_bytes
        self._file = self._open()
        self._writing = asyncio.Lock()
        self._using = Lock()

    def _open(self) -> BinaryIO:
        return self._path.open("ab", buffering=0)

    async def write(self, lines: bytes) -> None:
        """Append lines. Where there is no room for them, wait until there is."""
        async with self._writing:
            rest = await self._insist(partial(self._begin, lines))
            while rest:
                rest = await self._insist(partial(self._append, rest))

    async def _insist(self, write: Callable[[], bytes]) -> bytes:
        is_told = False
        while True:
            try:
                return await asyncio.to_thread(write)
            except OSError as error:
                if not is_told:
                    log.warning("a container waits until what it prints can be written: %s", error)
                is_told = True
            await asyncio.sleep(_RETRY_SECONDS)

    def _begin(self, lines: bytes) -> bytes:
        """Append lines, to a new file where this one would be too large. Return what is left of them."""
        with self._using:
            if self._file.tell() + len(lines) > self._max_bytes // 2:
                with suppress(FileNotFoundError):
                    self._path.replace(self._path.with_suffix(".before"))
                fresh = self._open()
                self._file.close()
                self._file = fresh
        return self._append(lines)

    def _append(self, lines: bytes) -> bytes:
        with self._using:
            return lines[self._file.write(lines) :]

    async def close(self) -> None:
        """Close it, once nothing is being written."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._using:
            self._file.close()


class Pump:
    """A copier of lines from a pipe to a log file. Its program waits while they are written."""

    def __init__(self, pipe: int, stream: Stream, log: LogFile, now: NowFunction) -> None:
        """`pipe` is the descriptor of its reading end, which is closed when nothing more comes."""
        self._pipe = pipe
        self._stream = stream
        self._log = log
        self._now = now
        self._rest = b""
        self.ended = spawn(self._copy())

    async def _copy(self) -> None:
        with PipeReader(self._pipe) as pipe:
            chunk = b" "
            while chunk:
                chunk = await pipe.read(_CHUNK_BYTES)
                lines = self._take(chunk)
                if lines:
                    await self._log.write(lines)

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
