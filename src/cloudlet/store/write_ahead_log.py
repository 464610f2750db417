"""The write-ahead log below the embedded engine: what is appended is on disk when `append` returns.

A log is a few files ("segments") that are written one after the other and over again. They are filled before they are
used and written past the page cache, in whole blocks: so a write changes nothing but the blocks themselves, and costs
the disk one round (see docs/decisions/0011-a-log-of-our-own.md).

Each record carries its number, one more than that of the record before. So what is left of earlier records in a
segment, or was torn by a loss of power, is told from those that go on.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import zlib
from collections import deque
from pathlib import Path
from threading import Lock
from typing import Final

from cloudlet.store.folders import sync_folder

_BLOCK: Final = 4096
_BUFFER_BYTES: Final = 256 << 10
_FIRST_BYTES: Final = 256 << 10
"""The size of a segment that has to be made while somebody waits for it."""
_HEADER: Final = struct.Struct("<4sQII")
_MAGIC: Final = b"CLwl"
_DIRECT: Final = getattr(os, "O_DIRECT", 0)
SEGMENT_FILES: Final = "journal-*"


class WriteAheadLog:
    """Used by one thread at a time, but for `release` and `prepare`, which may run beside `append`.

    Every method may raise OSError. A log in which an `append` failed is not to be used again, but opened anew.
    """

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        """Open what is in a folder, or nothing. `segment_bytes`: the size of a segment, whole blocks."""
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._buffer = mmap.mmap(-1, _BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._lock = Lock()
        self._current: _Segment | None = None
        self._full: deque[_Segment] = deque()
        self._spare: list[_Segment] = []
        self._named = 0
        self._found: dict[int, bytes] = {}
        for path in folder.glob(SEGMENT_FILES):
            segment = _Segment(path)
            self._found.update(records_in(path))
            self._spare.append(segment)
            self._named = max(self._named, int(path.name.partition("-")[2]))

    def list_recovered(self, safe: int) -> tuple[list[bytes], int]:
        """Return what was appended when the log was last open, and the highest number of a record in it.

        Only once, and before anything is appended, by when it has to be safe elsewhere. Records before `safe` are left
        out, and what comes after one that is missing or broken.
        """
        found, self._found = self._found, {}
        payloads = []
        number = safe if safe in found else safe + 1
        while number in found:
            payloads.append(found[number])
            number += 1
        return payloads, max(found, default=0)

    @property
    def count_full_segments(self) -> tuple[int, int]:
        """How many segments are full and not released, and how many bytes they have."""
        with self._lock:
            return len(self._full), sum(segment.size for segment in self._full)

    def append(self, number: int, payload: bytes) -> bool:
        """Write a record; return once it is on disk, and then whether to look what to `release` and `prepare`."""
        header = _HEADER.pack(_MAGIC, number, len(payload), _checksum(number, payload))
        size = _blocks(len(header) + len(payload))
        segment = self._current
        turns = segment is None or (segment.position > 0 and segment.position + size > segment.size)
        if segment is None or turns:
            segment = self._rotate()
        if size <= _BUFFER_BYTES:
            self._buffer[: len(header)] = header
            self._buffer[len(header) : len(header) + len(payload)] = payload
            segment.write(self._view[:size])
        else:
            record = memoryview(header + payload)
            while record:
                part, record = record[:_BUFFER_BYTES], record[_BUFFER_BYTES:]
                self._view[: len(part)] = part
                segment.write(self._view[: _blocks(len(part))])
        return turns or (segment.position - size < segment.size // 2 <= segment.position)

    def _rotate(self) -> _Segment:
        """Go on to another segment."""
        with self._lock:
            if self._current is not None:
                self._full.append(self._current)
            self._current = self._spare.pop() if self._spare else None
        if self._current is None:
            self._current = self._new(_FIRST_BYTES)
        self._current.position = 0
        return self._current

    def release(self, count: int) -> None:
        """Use the `count` oldest full segments again: what is in them is safe elsewhere."""
        for _ in range(count):
            with self._lock:
                segment = self._full.popleft()
                is_kept = segment.size == self._segment_bytes and not self._spare
                if is_kept:
                    self._spare.append(segment)
            if not is_kept:
                segment.remove()

    def preallocate(self) -> None:
        """Make a segment in advance, where there is none and will soon be need of one."""
        segment = self._current
        if not self._spare and segment is not None and segment.position >= segment.size // 2:
            segment = self._new(self._segment_bytes)
            with self._lock:
                self._spare.append(segment)

    def _new(self, size: int) -> _Segment:
        with self._lock:
            self._named += 1
            path = self._folder / f"journal-{self._named:04d}"
        segment = _Segment(path)
        try:
            segment.fill(size)
            sync_folder(self._folder)
        except BaseException:
            segment.remove()
            raise
        return segment

    def close(self, *, remove: bool) -> None:
        """Close the files; remove them where all that is in them is safe elsewhere."""
        segments = [*self._full, *self._spare]
        if self._current is not None:
            segments.append(self._current)
        for segment in segments:
            if remove:
                segment.remove()
            else:
                segment.close()
        self._view.release()
        self._buffer.close()


class _Segment:
    """One file."""

    def __init__(self, path: Path) -> None:
        """Open it, or make an empty one."""
        self._path = path
        self._file = _open(path, _DIRECT)
        self._passes_cache = bool(_DIRECT)
        self.size = os.fstat(self._file).st_size
        self.position = 0

    def fill(self, size: int) -> None:
        """Write zeros, so that later writes find their blocks in place."""
        zeros = mmap.mmap(-1, min(size, _BUFFER_BYTES))
        while self.position < size:
            self.write(memoryview(zeros))
        self.position = 0

    def write(self, blocks: memoryview) -> None:
        while blocks:
            try:
                written = os.pwrite(self._file, blocks, self.position)
            except OSError as error:
                if error.errno != errno.EINVAL or not self._passes_cache:
                    raise
                # The file system knows of no way past its cache, and says so only now.
                self.close()
                self._passes_cache = False
                self._file = _open(self._path, 0)
                continue
            self.position += written
            blocks = blocks[written:]
        self.size = max(self.size, self.position)

    def remove(self) -> None:
        self._path.unlink()
        self.close()

    def close(self) -> None:
        """Only once: by the second time the descriptor's number may be that of something else."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def records_in(segment: Path) -> dict[int, bytes]:
    """Return the records from a segment's beginning up to where there is none that goes on from the last."""
    data = segment.read_bytes()
    found: dict[int, bytes] = {}
    at, last = 0, None
    while at + _HEADER.size <= len(data):
        magic, number, length, checksum = _HEADER.unpack_from(data, at)
        begin = at + _HEADER.size
        payload = data[begin : begin + length]
        if magic != _MAGIC or len(payload) < length or (last is not None and number != last + 1):
            break
        if _checksum(number, payload) != checksum:
            break
        found[number] = payload
        at, last = _blocks(begin + length), number
    return found


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_DSYNC | os.O_CLOEXEC | flags, 0o600)
    except OSError as error:
        if error.errno == errno.EINVAL and flags:
            return _open(path, 0)
        raise


def _checksum(number: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(number.to_bytes(8, "little")))


def _blocks(size: int) -> int:
    """Return the size in bytes of the blocks that hold so many bytes."""
    return -(-size // _BLOCK) * _BLOCK
