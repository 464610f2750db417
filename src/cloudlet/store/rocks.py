"""RocksDB as the ordered map below the embedded engine (see docs/decisions/0001-embedded-engine.md)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import msgspec
from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    RdictIter,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from cloudlet.store.interface import Row, StoreError
from cloudlet.store.write_ahead_log import WriteAheadLog

log = logging.getLogger("cloudlet.store")

_SEGMENT_BYTES: Final = 8 << 20
"""How much goes into the log before write buffers are flushed."""
_WRITE_BUFFER_BYTES: Final = 16 << 20
"""More than one segment of the log, so that it is seldom flushed but for the log's sake."""
_LEVEL_BYTES: Final = 64 << 20
"""The size of the first sorted level; each buffer that is full is merged into it, with three others."""
_SHARED_BUFFER_BYTES: Final = 16 << 20
_SHARED_CACHE_BYTES: Final = 32 << 20
_ARENA_BYTES: Final = 256 << 10
"""What a write buffer takes at a time. By itself it would be a megabyte: with all blocks in one process, what they
share would be full as soon as each has written a row, and be flushed again and again for a few rows."""
_DIARY_BYTES: Final = 1 << 20
"""RocksDB tells of each flush in a text file, and begins another one where it has become so long."""
_AHEAD_BYTES: Final = 16 << 10
MAX_COMPACTED_BYTES: Final = 128 << 20
"""The size that may be rewritten to free a cleared range, however small that range was."""
_MAX_CLEARED_RANGES: Final = 256
"""The cleared ranges that wait to be compacted at most; RocksDB compacts others by itself."""

SAFE: Final = b"\xff" + b"safe"
"""The row that says up to which record of the log, or to the middle of which, the others go. No other key begins so."""

Write = tuple[list[tuple[bytes, bytes]], dict[bytes, bytes | None]]
"""Ranges that are cleared, and then keys that are set or (None) deleted."""
Record = tuple[int, bytes]
decode_record: Final = msgspec.msgpack.Decoder(list[Write]).decode
_encoder: Final = msgspec.msgpack.Encoder()


def _write_options() -> WriteOptions:
    options: Any = WriteOptions()
    # The log is ours: RocksDB's own takes the disk twice as long.
    options.disable_wal = True
    return options  # type: ignore[no-any-return]


@cache
def _memory() -> tuple[Cache, WriteBufferManager]:
    """Return the block cache that all stores of the process share; their write buffers count against it."""
    blocks = Cache(_SHARED_CACHE_BYTES)
    return blocks, WriteBufferManager.new_write_buffer_manager_with_cache(_SHARED_BUFFER_BYTES, False, blocks)


def options() -> Options:
    """Return how RocksDB opens a store."""
    blocks, buffers = _memory()
    table = BlockBasedOptions()
    table.set_block_cache(blocks)
    table.set_bloom_filter(10, False)
    # Indexes and filters grow with the data, so they live in the cache too; in parts, since a whole one would not fit
    # into the cache's shards and be read anew for each look-up.
    table.set_cache_index_and_filter_blocks(True)
    table.set_index_type(BlockBasedIndexType.two_level_index_search())
    table.set_partition_filters(True)
    table.set_pin_top_level_index_and_filter(True)
    made = Options(raw_mode=True)
    made.create_if_missing(True)
    made.set_block_based_table_factory(table)
    made.set_compression_type(DBCompressionType.lz4())
    made.set_write_buffer_manager(buffers)
    made.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    made.set_arena_block_size(_ARENA_BYTES)
    made.set_max_write_buffer_number(4)
    made.set_max_bytes_for_level_base(_LEVEL_BYTES)
    made.set_max_background_jobs(2)
    made.set_keep_log_file_num(2)
    made.set_max_log_file_size(_DIARY_BYTES)
    made.set_max_open_files(256)
    made.set_stats_dump_period_sec(0)
    return made


class OrderedMap:
    """Sorted bytes to bytes. `write` is atomic and seen at once; what is `unsynced`, `sync` makes durable."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Raises StoreError and OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        try:
            ours = options()
            # Said of the column family too: else it is opened as it was before, with a small cache of its own.
            self._db = Rdict(str(folder), ours, column_families={"default": ours})
        except Exception as error:
            # RocksDB's binding has no exceptions of its own.
            if "While lock file" in str(error):
                raise StoreError(f"another process uses {folder}") from error
            raise StoreError(f"cannot open {folder}: {error}") from error
        self._write_options = _write_options()
        self._read_options = ReadOptions()
        self._log: WriteAheadLog | None = None
        self._unsynced: list[Write] = []
        self._number = 0
        """That of the record of the log that what is written now goes into."""
        self._tidier: ThreadPoolExecutor | None = None
        self.deleted = 0
        """How many rows and ranges were deleted since `flush_soon`."""
        self._cleared: list[tuple[bytes, bytes]] = []
        """Ranges that were cleared since then."""
        written = WriteAheadLog(folder, _SEGMENT_BYTES)
        if durable:
            self._log = written
        try:
            self._recover(written)
        except Exception as error:
            # Where the disk is full, that fails once more, and is closed all the same.
            with suppress(Exception):
                self._db.close()
            written.close(remove=False)
            raise StoreError(f"cannot recover {folder}: {error}") from error
        if not durable:
            written.close(remove=True)

    def _recover(self, written: WriteAheadLog) -> None:
        """Write what the log has from when it was last open, and RocksDB's files have not."""
        safe = int.from_bytes(self._db.get(SAFE) or b"", "big")
        payloads, last = written.list_recovered(safe)
        self._number = max(safe, last) + 1
        if last:
            for payload in payloads:
                for cleared, changes in decode_record(payload):
                    self.write(changes, cleared)
            # With this, what is still in the log is not looked at any more.
            self.write({}, [])
            self._db.flush(True)
        self._unsynced = []

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key. Raises StoreError where it cannot be read."""
        try:
            return self._db.get(key)
        except Exception as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> StoreError:
        return StoreError(f"cannot read {self.folder}: {error}")

    def _check(self, cursor: RdictIter) -> None:
        """Raise StoreError where a cursor stopped at what cannot be read, which it does as at the end of the data."""
        try:
            cursor.status()
        except Exception as error:
            raise self._unreadable(error) from error

    def scan(self, begin: bytes, end: bytes, limit: int, ahead: int) -> tuple[list[Row], bytes]:
        """Return `limit` rows with begin <= key < end and, if they are small, up to `ahead` more.

        Also return the key before which these are all that is alive: that of the next row (which may lie behind
        `end`), or `end` where there is none. Raises StoreError where a row cannot be read.
        """
        rows: list[Row] = []
        room = _AHEAD_BYTES
        cursor = self._db.iter(self._read_options)
        cursor.seek(begin)
        while cursor.valid():
            key = cursor.key()
            if key >= end or (len(rows) >= limit and (ahead <= 0 or room <= 0)):
                return rows, key
            value = cursor.value()
            if len(rows) >= limit:
                ahead -= 1
                room -= len(value)
            rows.append((key, value))
            cursor.next()
        self._check(cursor)
        return rows, end

    def scan_reverse(self, begin: bytes, limit: int, end: bytes) -> list[Row]:
        """Return up to `limit` rows with begin <= key < end, the last first. Raises StoreError as `scan` does."""
        rows: list[Row] = []
        cursor = self._db.iter(self._read_options)
        cursor.seek_for_prev(end)
        if cursor.valid() and cursor.key() == end:
            cursor.prev()
        while cursor.valid() and len(rows) < limit:
            key = cursor.key()
            if key < begin:
                return rows
            rows.append((key, cursor.value()))
            cursor.prev()
        if len(rows) < limit:
            self._check(cursor)
        return rows

    def write(self, changes: dict[bytes, bytes | None], cleared: list[tuple[bytes, bytes]]) -> None:
        """Apply range deletions, then puts and (None) deletions, all or nothing. Nobody may change either later."""
        batch = WriteBatch(raw_mode=True)
        for begin, end in cleared:
            batch.delete_range(begin, end)
        if cleared:
            self.deleted += len(cleared)
            self._cleared += cleared[: max(0, _MAX_CLEARED_RANGES - len(self._cleared))]
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
                self.deleted += 1
            else:
                batch.put(key, value)
        if self._log is not None:
            batch.put(SAFE, self._number.to_bytes(8, "big"))
            self._unsynced.append((cleared, changes))
        self._db.write(batch, self._write_options)

    def unsynced(self) -> Record:
        """Return all that was written since the last call, for `sync`."""
        unsynced, self._unsynced = self._unsynced, []
        record = self._number, _encoder.encode(unsynced)
        self._number += 1
        return record

    def sync(self, record: Record) -> None:
        """Make what was `unsynced` durable: one record after the other, in this thread or another."""
        if self._log is not None and self._log.append(*record):
            self._in_tidier(partial(self._tidy, self._log))

    def flush_soon(self) -> None:
        """Give the room of what was deleted back to the disk, in a thread."""
        self.deleted = 0
        cleared, self._cleared = self._cleared, []
        self._in_tidier(partial(self._give_back, cleared))

    def _in_tidier(self, work: Callable[[], None]) -> None:
        if self._tidier is None:
            self._tidier = ThreadPoolExecutor(1, "store-tidier")
        self._tidier.submit(work)

    def _give_back(self, cleared: list[tuple[bytes, bytes]]) -> None:
        try:
            self._db.flush(True)
            for begin, end in cleared:
                if self._is_worth_compacting(begin, end):
                    self._db.compact_range(begin, end)
        except Exception as error:
            # Nothing is lost: it is in the log, or need not last, and RocksDB compacts what it has when it must.
            log.warning("cannot give back the room of what was deleted in %s: %s", self.folder, error)

    def _is_worth_compacting(self, begin: bytes, end: bytes) -> bool:
        """Whether a cleared range had most of what would be rewritten, or that is little.

        By itself RocksDB drops the rows of a cleared range only where other rows are written around them.
        """
        touched = [file for file in self._db.live_files() if file["start_key"] < end and begin <= file["end_key"]]
        size = sum(file["size"] for file in touched)
        within = sum(file["size"] for file in touched if begin <= file["start_key"] and file["end_key"] < end)
        return bool(size <= MAX_COMPACTED_BYTES or 2 * within >= size)

    def _tidy(self, written: WriteAheadLog) -> None:
        """Flush what is in full segments of the log, so that they are free for what comes."""
        try:
            count, size = written.count_full_segments
            if size >= _SEGMENT_BYTES:
                self._db.flush(True)
                written.release(count)
            written.preallocate()
        except Exception as error:
            # Nothing is lost, it is in the log. Who writes next is told, if it cannot go on.
            log.warning("cannot tidy up the log in %s: %s", self.folder, error)

    def size(self) -> int:
        total = 0
        for file in self.folder.iterdir():
            # RocksDB removes files in threads of its own.
            with suppress(FileNotFoundError):
                total += file.stat().st_size
        return total

    def close(self) -> None:
        """Raises what RocksDB raises; what was synced is safe in any case."""
        if self._tidier is not None:
            self._tidier.shutdown()
        is_flushed = False
        try:
            if self._log is not None:
                self._db.flush(True)
            is_flushed = True
        finally:
            try:
                self._db.close()
            finally:
                if self._log is not None:
                    self._log.close(remove=is_flushed)
