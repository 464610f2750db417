"""The ordered maps that are compared: what the embedded engine asks of one, on RocksDB, SQLite and LMDB."""

import contextlib
import importlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from rocksdict import Checkpoint

from cloudlet.store.embedded import copy_closed
from cloudlet.store.interface import Row
from cloudlet.store.rocks import OrderedMap, Record

CACHE_BYTES = 32 << 20
_AHEAD_BYTES = 16 << 10
_LMDB_MAP_BYTES = 64 << 30
# SQLite moves pages from its log to the database file once the log has so many: more at once is fewer in all.
_SQLITE_LOG_PAGES = CACHE_BYTES // 4096
_IN_ITS_TRANSACTION: Record = (0, b"")


class Map(Protocol):
    """See `cloudlet.store.rocks.OrderedMap`."""

    def get(self, key: bytes) -> bytes | None: ...
    def scan(self, begin: bytes, end: bytes, limit: int, ahead: int) -> tuple[list[Row], bytes]: ...
    def scan_reverse(self, begin: bytes, limit: int, end: bytes) -> list[Row]: ...
    def write(self, changes: dict[bytes, bytes | None], cleared: list[tuple[bytes, bytes]]) -> None: ...
    def unsynced(self) -> Record: ...
    def sync(self, record: Record) -> None: ...
    def size(self) -> int: ...
    def close(self) -> None: ...
    def copy_live(self, target: Path) -> None:
        """Copy the map into a new folder while it is open; all is synced."""


class RocksMap(OrderedMap):
    """The product's own map, with the copy that RocksDB can make of an open database."""

    def copy_live(self, target: Path) -> None:
        Checkpoint(self._db).create_checkpoint(str(target))


class SqliteMap:
    """One table in write-ahead log mode. Writes gather in one open transaction, which `sync` commits."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._db = sqlite3.connect(folder / "rows.sqlite", isolation_level=None, check_same_thread=False)
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={'FULL' if durable else 'OFF'}",
            f"cache_size=-{CACHE_BYTES >> 10}",
            f"wal_autocheckpoint={_SQLITE_LOG_PAGES}",
        ):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        self._db.execute("CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")

    def get(self, key: bytes) -> bytes | None:
        row = self._db.execute("SELECT value FROM rows WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def scan(self, begin: bytes, end: bytes, limit: int, ahead: int) -> tuple[list[Row], bytes]:
        cursor = self._db.execute("SELECT key, value FROM rows WHERE key >= ? ORDER BY key", (begin,))
        return _taken(cursor, end, limit, ahead)

    def scan_reverse(self, begin: bytes, limit: int, end: bytes) -> list[Row]:
        return self._db.execute(
            "SELECT key, value FROM rows WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?", (begin, end, limit)
        ).fetchall()

    def write(self, changes: dict[bytes, bytes | None], cleared: list[tuple[bytes, bytes]]) -> None:
        db = self._db
        if not db.in_transaction:
            db.execute("BEGIN IMMEDIATE")
        for begin, end in cleared:
            db.execute("DELETE FROM rows WHERE key >= ? AND key < ?", (begin, end))
        for key, value in changes.items():
            if value is None:
                db.execute("DELETE FROM rows WHERE key = ?", (key,))
            else:
                db.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (key, value))

    def unsynced(self) -> Record:
        return _IN_ITS_TRANSACTION

    def sync(self, record: Record) -> None:
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def size(self) -> int:
        return _size(self._folder)

    def close(self) -> None:
        self._db.close()

    def copy_live(self, target: Path) -> None:
        target.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(target / "rows.sqlite")) as copy:
            self._db.backup(copy)


class LmdbMap:
    """A memory-mapped copy-on-write tree. Writes gather in one open transaction, which `sync` commits."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        try:
            lmdb: Any = importlib.import_module("lmdb")
        except ImportError as error:
            raise SystemExit("lmdb is not installed: pip install lmdb, or leave it out by --engines") from error
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._env = lmdb.open(
            str(folder),
            map_size=_LMDB_MAP_BYTES,
            sync=durable,
            writemap=True,
            lock=False,
            meminit=False,
            readahead=False,
        )
        self._writing: Any = None
        self._reading: Any = None

    def _transaction(self) -> Any:
        if self._writing is not None:
            return self._writing
        if self._reading is None:
            self._reading = self._env.begin()
        return self._reading

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._transaction().get(key)
        return value

    def scan(self, begin: bytes, end: bytes, limit: int, ahead: int) -> tuple[list[Row], bytes]:
        with self._transaction().cursor() as cursor:
            return _taken(cursor if cursor.set_range(begin) else iter(()), end, limit, ahead)

    def scan_reverse(self, begin: bytes, limit: int, end: bytes) -> list[Row]:
        rows: list[Row] = []
        with self._transaction().cursor() as cursor:
            found = cursor.prev() if cursor.set_range(end) else cursor.last()
            while found and len(rows) < limit and cursor.key() >= begin:
                rows.append(cursor.item())
                found = cursor.prev()
        return rows

    def write(self, changes: dict[bytes, bytes | None], cleared: list[tuple[bytes, bytes]]) -> None:
        if self._writing is None:
            if self._reading is not None:
                self._reading.abort()
                self._reading = None
            self._writing = self._env.begin(write=True)
        transaction = self._writing
        for begin, end in cleared:
            with transaction.cursor() as cursor:
                found = cursor.set_range(begin)
                while found and cursor.key() < end:
                    found = cursor.delete()
        for key, value in changes.items():
            if value is None:
                transaction.delete(key)
            else:
                transaction.put(key, value)

    def unsynced(self) -> Record:
        return _IN_ITS_TRANSACTION

    def sync(self, record: Record) -> None:
        if self._writing is not None:
            self._writing.commit()
            self._writing = None

    def size(self) -> int:
        return _size(self._folder)

    def close(self) -> None:
        for transaction in (self._writing, self._reading):
            if transaction is not None:
                transaction.abort()
        self._env.close()

    def copy_live(self, target: Path) -> None:
        target.mkdir(parents=True)
        self._env.copy(str(target))


MAPS: dict[str, Callable[..., Map]] = {"rocksdb": RocksMap, "sqlite": SqliteMap, "lmdb": LmdbMap}


def copy_folder(engine: str, source: Path, target: Path) -> None:
    """Copy a map that nobody has open, the quickest way there is for it on this file system."""
    if engine == "rocksdb":
        copy_closed(source, target)
        return
    target.mkdir(parents=True)
    # LMDB's file is as long as its map, most of it a hole, which cp leaves out.
    subprocess.run(["cp", "--reflink=auto", *source.iterdir(), target], check=True)


def sync_folder(folder: Path) -> None:
    """Make all files of a folder durable, and their names."""
    for path in (*folder.iterdir(), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _taken(cursor: Iterable[Row], end: bytes, limit: int, ahead: int) -> tuple[list[Row], bytes]:
    """Read as `OrderedMap.scan` does."""
    rows: list[Row] = []
    room = _AHEAD_BYTES
    for key, value in cursor:
        if key >= end or (len(rows) >= limit and (ahead <= 0 or room <= 0)):
            return rows, key
        if len(rows) >= limit:
            ahead -= 1
            room -= len(value)
        rows.append((key, value))
    return rows, end


def _size(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.iterdir() if file.is_file())
