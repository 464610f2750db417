"""The embedded engine: one process, one event loop, RocksDB below.

Transactions are optimistic. A body that never waits sees no other commit between its first read and its own, so it
cannot conflict; one that waits has its reads checked against what was committed meanwhile, and runs again if
any of them changed. Commits that arrive during one turn of the event loop share one disk synchronisation.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from cloudlet.store.disk_space import DiskReserve, is_short
from cloudlet.store.eager import settling, spawn
from cloudlet.store.engine_states import (
    BROKEN,
    COMMITTED,
    END,
    HANDED_OVER,
    IDLE,
    IN_THREAD,
    OPEN,
    REOPENED,
    THREAD_ENDED,
    TURN_BEGAN,
    WRITE_FAILED,
    follow,
)
from cloudlet.store.engine_states import (
    State as EngineState,
)
from cloudlet.store.interface import Body, Done, Row, StoreError, T
from cloudlet.store.optimistic import ConflictDetector, OptimisticTransaction, State
from cloudlet.store.recent import ABSENT
from cloudlet.store.rocks import OrderedMap, Record
from cloudlet.store.row_cache import CommittedCache
from cloudlet.store.transaction_runner import TransactionRunner
from cloudlet.store.watches import Watches

log = logging.getLogger("cloudlet.store")

# A disk that answers faster than this is waited for in the event loop: handing over to a thread costs more.
_INLINE_SYNC_SECONDS: Final = 0.0005
_INLINE_BYTES: Final = 1 << 20
"""No disk answers that fast for more."""
_SYNC_SAMPLES: Final = 16
_LARGEST_GROUP: Final = 32
_ROWS_AHEAD: Final = 64
_DELETED_TO_FLUSH: Final = 100
_TURN_SECONDS: Final = 0.005
"""After so long, a task that does one transaction after the other lets others have their turn."""
_FLUSH_SECONDS: Final = 60.0
"""So long after so much was deleted, what is in memory is flushed, for the disk to have its room back."""
_FLUSH_WHEN_SHORT_SECONDS: Final = 1.0
_FLUSHED_AGAIN_SECONDS: Final = 600.0
"""It is not done more often than that: it may rewrite much that was not deleted."""
_LOOK_SECONDS: Final = 0.25
"""How often it is looked how much room the disk has."""
_SMALL_BYTES: Final = 128
"""The growth that is written even to a full disk: a lease that is renewed, a counter."""
_REST_SECONDS: Final = 1.0
"""So long after it could not be opened that is not tried again: the event loop would do nothing else."""
_WIDE: Final = 8
"""A scan of so many rows costs no more for each of them than to read them ahead and to remember them."""

_Done = Callable[[Any, BaseException | None], None]


class EmbeddedStore(State):
    """See `cloudlet.store.interface.Store`. Used from one event loop only."""

    def __init__(self, folder: Path, *, durable: bool = True, reserve: DiskReserve | None = None) -> None:
        """Open what is in a folder, or make it. `reserve` is given up where the disk is full. Raises StoreError."""
        self._folder = folder
        self._durable = durable
        self._reserve = reserve
        self._map = self._opened()
        self.version = 0
        self._memory = CommittedCache()
        self._watches = Watches()
        self._history = ConflictDetector()
        self._runner = TransactionRunner(self, self._history, self)

        self._pending: dict[bytes, bytes | None] = {}
        self._waiting: list[tuple[_Done, Any, BaseException | None, list[bytes]]] = []
        self._dirty = False
        self._gathered = 0
        self._service: EngineState = OPEN
        self._commits: EngineState = IDLE
        """The way of commits to the disk."""
        self._opens_again = 0.0
        """When it is tried next to open what is broken, by the monotonic clock."""
        self._waits_inline = True
        self._samples: list[float] = []
        self._executor: ThreadPoolExecutor | None = None
        self._flushing: asyncio.Handle | None = None
        self._flushed_at = -_FLUSHED_AGAIN_SECONDS
        self._is_short = is_short(folder)
        """Whether only what makes room is written."""
        self._look_at = 0.0
        """When it is looked next how much room there is, as `perf_counter` has it."""
        self._turn_began = 0.0
        """When the first task to wait for a transaction came in this turn of the event loop; 0 before that."""

    def _opened(self) -> OrderedMap:
        try:
            return OrderedMap(self._folder, durable=self._durable)
        except (StoreError, OSError):
            if self._reserve is None or not self._reserve.give_up():
                raise
            log.warning("%s was opened with the room of the reserve", self._folder)
            return OrderedMap(self._folder, durable=self._durable)

    # -- transactions

    def submit(self, body: Body[T], done: Done[T]) -> None:
        if self._service != OPEN and not self._reopen():
            done(None, StoreError("the store is not open"))
            return
        self._runner.run(body, done)

    async def transact(self, body: Body[T]) -> T:
        loop = asyncio.get_running_loop()
        if not self._turn_began:
            self._turn_began = time.perf_counter()
            loop.call_soon(self._end_turn)
        future: asyncio.Future[T] = loop.create_future()
        self.submit(body, settling(future))
        if time.perf_counter() - self._turn_began > _TURN_SECONDS and future.done():
            # What is answered at once is not waited for: a loop over all that an account has would hold up all others.
            await asyncio.sleep(0)
        return await future

    def _end_turn(self) -> None:
        self._turn_began = 0.0

    def is_ready(self, transaction: OptimisticTransaction) -> bool:
        return True

    async def ready(self, transaction: OptimisticTransaction) -> None:
        return

    def finish(
        self,
        body: Body[Any],
        done: Done[Any],
        transaction: OptimisticTransaction,
        result: Any,
        error: Exception | None,
    ) -> None:
        if error is None and self._service >= BROKEN:
            # It may have seen what was not written in the end.
            done(None, StoreError("an earlier write failed"))
        elif error is None:
            self._commit(transaction, result, done)
        else:
            self._answer(done, None, error, [])

    def _commit(self, transaction: OptimisticTransaction, result: Any, done: _Done) -> None:
        """Make the writes visible at once; they are durable, and the answer given, after the next sync."""
        if transaction.adds:
            try:
                transaction.resolve_adds(self.read)
            except Exception as error:
                self._answer(done, None, error, [])
                return
        changes = transaction.changes
        writes, cleared = changes.writes, changes.cleared
        if not writes and not cleared:
            self._answer(done, result, None, transaction.topics)
            return
        if self._is_short and not cleared:
            try:
                self._check_room(writes)
            except StoreError as error:
                self._answer(done, None, error, [])
                return
        if cleared:
            try:
                self._apply()
                self._write(writes, cleared)
            except StoreError as error:
                done(None, error)
                return
        else:
            self._pending.update(writes)
        self.version += 1
        self._history.add(self.version, changes)
        self._memory.note(changes)
        self._dirty = self._durable
        self._schedule()
        self._answer(done, result, None, transaction.topics)

    def _check_room(self, writes: dict[bytes, bytes | None]) -> None:
        """Raise StoreError for writes that delete nothing and take room, while the disk is short of it."""
        self._look_at_room(time.perf_counter())
        if not self._is_short:
            return
        grows = 0
        for key, value in writes.items():
            if value is None:
                return
            grows += len(value) - len(self.read(key) or b"")
        if grows > _SMALL_BYTES:
            raise StoreError(f"the disk of {self._folder} is nearly full")

    def _look_at_room(self, now: float) -> None:
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        was_short, self._is_short = self._is_short, is_short(self._folder)
        if self._is_short and not was_short:
            log.error("the disk of %s is nearly full: from now on only what deletes is written", self._folder)
        elif was_short and not self._is_short:
            log.warning("the disk of %s has room again", self._folder)
            if self._reserve is not None:
                self._reserve.fill()

    def _apply(self) -> None:
        """Hand what was committed to RocksDB: that of many transactions together, once a turn of the event loop."""
        if self._pending:
            pending, self._pending = self._pending, {}
            self._write(pending, [])

    def _write(self, writes: dict[bytes, bytes | None], cleared: list[tuple[bytes, bytes]]) -> None:
        """Raises StoreError; none of those who wait for the next sync is answered as if it had been written, then."""
        try:
            self._map.write(writes, cleared)
        except Exception as error:
            self._service = follow(self._service, WRITE_FAILED)
            raise StoreError(f"cannot write to {self._folder}: {error}") from error
        if self._flushing is None and (cleared or self._map.deleted >= _DELETED_TO_FLUSH):
            since = time.monotonic() - self._flushed_at
            seconds = _FLUSH_SECONDS if since >= _FLUSHED_AGAIN_SECONDS else _FLUSHED_AGAIN_SECONDS - since
            if self._is_short:
                seconds = _FLUSH_WHEN_SHORT_SECONDS
            self._flushing = asyncio.get_running_loop().call_later(seconds, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        self._flushed_at = time.monotonic()
        if self._service == OPEN:
            self._map.flush_soon()

    # -- reads of the committed state

    def known(self, key: bytes) -> bytes | None:
        value = self._memory.rows.get(key)
        return self._pending.get(key, ABSENT) if value is ABSENT else value

    async def fetch(self, key: bytes) -> bytes | None:
        return self._fetch(key)

    def _fetch(self, key: bytes) -> bytes | None:
        value = self._map.get(key)
        self._memory.learn(key, value)
        return value

    def read(self, key: bytes) -> bytes | None:
        """Return the committed value of a key."""
        value = self.known(key)
        return self._fetch(key) if value is ABSENT else value

    async def scan(self, begin: bytes, end: bytes, limit: int, reverse: bool) -> list[Row]:
        if reverse:
            self._apply()
            return self._map.scan_reverse(begin, limit, end)
        stretches = self._memory.stretches
        rows, unknown = stretches.scan(begin, end, limit)
        missing = limit - len(rows)
        if missing and unknown < end:
            self._apply()
            # Rows are read ahead where scans go on from what is known, not at a place that is new.
            goes_on = unknown != begin or stretches.ends_at(begin)
            found, stop = self._map.scan(unknown, end, missing, _ROWS_AHEAD if goes_on else 0)
            if goes_on or stretches.is_repeated_scan(begin):
                stretches.insert(unknown, stop, found)
            elif missing < _WIDE:
                stretches.record_scan_end(stop)
            rows += found[:missing]
        return rows

    # -- durability

    def _answer(self, done: _Done, result: Any, error: BaseException | None, topics: list[bytes]) -> None:
        """Call `done` once everything that the transaction wrote or saw is durable."""
        if not self._dirty and self._commits != IN_THREAD:
            self._release([(done, result, error, topics)])
            return
        self._waiting.append((done, result, error, topics))
        self._schedule()

    def _schedule(self) -> None:
        if self._commits == IDLE:
            self._commits = follow(IDLE, COMMITTED)
            asyncio.get_running_loop().call_soon(self._sync)

    def _sync(self) -> None:
        gathered, self._gathered = self._gathered, len(self._waiting)
        if gathered < self._gathered < _LARGEST_GROUP:
            # Others have come since the last turn: see whether there are more of them, before all wait for the disk.
            asyncio.get_running_loop().call_soon(self._sync)
            return
        self._gathered = 0
        self._commits = follow(self._commits, TURN_BEGAN)
        self._look_at_room(time.perf_counter())
        group, self._waiting = self._waiting, []
        try:
            if self._service >= BROKEN:
                raise StoreError("an earlier write failed")
            self._apply()
        except StoreError as error:
            self._fail(group, error)
            return
        if not self._dirty:
            self._release(group)
            return
        self._dirty = False
        record = self._map.unsynced()
        if not self._waits_inline or len(record[1]) > _INLINE_BYTES:
            self._commits = follow(self._commits, HANDED_OVER)
            spawn(self._sync_in_thread(group, record))
            return
        started = time.perf_counter()
        try:
            self._map.sync(record)
        except Exception as error:
            self._fail(group, error)
            return
        seconds = time.perf_counter() - started
        self._sample(seconds)
        self._release(group)

    async def _sync_in_thread(self, group: list[Any], record: Record) -> None:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, "store-sync")
        failure: Exception | None = None
        try:
            seconds = await asyncio.get_running_loop().run_in_executor(self._executor, self._timed_sync, record)
        except Exception as error:
            failure = error
        else:
            self._sample(seconds)
        self._commits = follow(self._commits, THREAD_ENDED)
        if failure is None:
            if not self._dirty:
                # Who came meanwhile and has seen nothing newer need not wait for what those of this group write next.
                group += self._waiting
                self._waiting = []
            self._release(group)
        else:
            self._fail(group, failure)
        if self._waiting or self._pending:
            self._schedule()

    def _sample(self, seconds: float) -> None:
        """Choose where to wait for the disk, by the quicker ones of the last syncs.

        The slower ones tell of other things: a log file that is rotated, a processor that others use.
        """
        self._samples.append(seconds)
        if len(self._samples) == _SYNC_SAMPLES:
            self._waits_inline = sorted(self._samples)[_SYNC_SAMPLES // 4] < _INLINE_SYNC_SECONDS
            self._samples.clear()

    def _timed_sync(self, record: Record) -> float:
        started = time.perf_counter()
        self._map.sync(record)
        return time.perf_counter() - started

    def _release(self, group: list[Any]) -> None:
        for done, result, error, topics in group:
            try:
                if topics:
                    self._watches.call(topics)
                done(result, error)
            except Exception:
                # It is no affair of the others in the group, who wait for their answers.
                log.exception("a transaction is durable, but could not be answered")

    def _fail(self, group: list[Any], error: Exception) -> None:
        """A failed sync leaves unknown what is on disk: read the state back from there before going on."""
        self._service = follow(self._service, WRITE_FAILED)
        failure = StoreError(f"cannot make writes durable in {self._folder}: {error}")
        for done, _, _, _ in group:
            try:
                done(None, failure)
            except Exception:
                log.exception("a transaction has failed, and who waits for it could not be told")

    def _reopen(self) -> bool:
        """Read the state back from the disk after a failed write. Return whether transactions are served again."""
        # What is being synchronised in a thread still goes into the log that would be closed.
        if self._service != BROKEN or self._commits == IN_THREAD or time.monotonic() < self._opens_again:
            return False
        waiting, self._waiting = self._waiting, []
        self._pending = {}
        self._dirty = False
        self._fail(waiting, RuntimeError("an earlier write failed"))
        self._close_map()
        try:
            self._map = self._opened()
        except Exception as error:
            log.error("cannot open %s: %s", self._folder, error)
            self._opens_again = time.monotonic() + _REST_SECONDS
            return False
        log.warning("opened %s again after a failed write", self._folder)
        self.version += 1
        self._history.add_everything(self.version)
        self._memory.forget()
        self._service = follow(self._service, REOPENED)
        return True

    # -- the rest

    def watch(self, topic: bytes, callback: Callable[[], None]) -> Callable[[], None]:
        return self._watches.add(topic, callback)

    def size(self) -> int:
        return self._map.size()

    @property
    def origin(self) -> str:
        return ""

    @property
    def is_available(self) -> bool:
        return self._service < BROKEN

    async def close(self) -> None:
        self._service = follow(self._service, END)
        while self._commits != IDLE or self._history:
            await asyncio.sleep(0.001)
        if self._flushing is not None:
            self._flushing.cancel()
        self._close_map()
        if self._executor is not None:
            self._executor.shutdown()

    def _close_map(self) -> None:
        try:
            self._map.close()
        except Exception as error:
            # It reports a failed write once more, which was answered when it happened.
            log.info("closing %s: %s", self._folder, error)
