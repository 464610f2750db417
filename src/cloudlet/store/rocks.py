"""RocksDB as the ordered map below the embedded engine (see docs/decisions/0001-embedded-engine.md)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from cloudlet.store.interface import Row, StoreError

_WRITE_BUFFER_BYTES = 4 << 20
"""Also how much goes into a log: the sooner the first ones can be recycled, the sooner syncs are quick."""
_LEVEL_BYTES = 64 << 20
"""The size of the first sorted level; each buffer that is full is merged into it, with three others."""
_SHARED_BUFFER_BYTES = 16 << 20
_SHARED_CACHE_BYTES = 32 << 20
_AHEAD_BYTES = 16 << 10


def _write_options(durable: bool) -> WriteOptions:
    options: Any = WriteOptions()
    options.sync = False
    options.disable_wal = not durable
    return options  # type: ignore[no-any-return]


@cache
def _memory() -> tuple[Cache, WriteBufferManager]:
    """Return the block cache that all stores of the process share; their write buffers count against it."""
    blocks = Cache(_SHARED_CACHE_BYTES)
    return blocks, WriteBufferManager.new_write_buffer_manager_with_cache(_SHARED_BUFFER_BYTES, False, blocks)


def _options(durable: bool) -> Options:
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
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_write_buffer_manager(buffers)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(4)
    options.set_max_bytes_for_level_base(_LEVEL_BYTES)
    options.set_max_background_jobs(2)
    if durable:
        # A recycled log is overwritten in place: its fdatasync has no file size or block map to write.
        options.set_recycle_log_file_num(2)
    options.set_keep_log_file_num(2)
    options.set_max_open_files(256)
    options.set_stats_dump_period_sec(0)
    return options


class OrderedMap:
    """Sorted bytes to bytes. `write` is atomic and seen at once; `sync` makes all that was written durable."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Raises StoreError and OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        try:
            options = _options(durable)
            # Said of the column family too: else it is opened as it was before, with a small cache of its own.
            self._db = Rdict(str(folder), options, column_families={"default": options})
        except Exception as error:
            # RocksDB's binding has no exceptions of its own.
            raise StoreError(f"cannot open {folder}: {error}") from error
        self._write_options = _write_options(durable)
        self._durable = durable
        self._read_options = ReadOptions()

    def get(self, key: bytes) -> bytes | None:
        return self._db.get(key)

    def scan(self, begin: bytes, end: bytes, limit: int, ahead: int) -> tuple[list[Row], bytes]:
        """Return `limit` rows with begin <= key < end and, if they are small, up to `ahead` more.

        Also return the key before which these are all that is alive: that of the next row (which may lie behind
        `end`), or `end` where there is none.
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
        return rows, end

    def scan_reverse(self, begin: bytes, limit: int, end: bytes) -> list[Row]:
        """Return up to `limit` rows with begin <= key < end, the last first."""
        rows: list[Row] = []
        cursor = self._db.iter(self._read_options)
        cursor.seek_for_prev(end)
        if cursor.valid() and cursor.key() == end:
            cursor.prev()
        while cursor.valid() and len(rows) < limit:
            key = cursor.key()
            if key < begin:
                break
            rows.append((key, cursor.value()))
            cursor.prev()
        return rows

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], cleared: Iterable[tuple[bytes, bytes]]) -> None:
        """Apply range deletions, then puts and (None) deletions, all or nothing."""
        batch = WriteBatch(raw_mode=True)
        for begin, end in cleared:
            batch.delete_range(begin, end)
        for key, value in changes:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        self._db.write(batch, self._write_options)

    def sync(self) -> None:
        if self._durable:
            self._db.flush_wal(True)

    def size(self) -> int:
        return sum(file.stat().st_size for file in self.folder.iterdir() if file.is_file())

    def close(self) -> None:
        self._db.close()
