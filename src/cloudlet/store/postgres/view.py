"""The state of a keyspace as this process knows it: that of one turn, and what transactions here put on top."""

from __future__ import annotations

from collections.abc import Callable

from cloudlet.store.interface import Row
from cloudlet.store.optimistic import ConflictDetector, OptimisticTransaction, State, WriteSet, merged
from cloudlet.store.postgres.reads import ReadBatch, Scan, Stretch
from cloudlet.store.postgres.session import Refused, Session
from cloudlet.store.recent import ABSENT
from cloudlet.store.row_cache import CommittedCache

_ROWS_AHEAD = 64
# What so many turns have changed is not worth the trouble of finding out.
_MISSED_TURNS = 256


class View(State):
    """See `cloudlet.store.optimistic.State`. `asked` is called when something must be read from the database."""

    def __init__(self, asked: Callable[[], None]) -> None:
        self.version = 0
        self.turn: int | None = None
        """The database's turn that this is the state of; None where nothing is known."""
        self.history = ConflictDetector()
        self._asked = asked
        self._memory = CommittedCache()
        self._reads = ReadBatch()
        # What memory holds counts these in. They are apart since memory may forget, and the database lacks them.
        self._pending = WriteSet()

    # -- what transactions read

    def known(self, key: bytes) -> bytes | None:
        value = self._memory.rows.get(key)
        return self._pending.lookup(key) if value is ABSENT else value

    async def fetch(self, key: bytes) -> bytes | None:
        future = self._reads.key(key)
        self._asked()
        return await future

    async def scan(self, begin: bytes, end: bytes, limit: int, reverse: bool) -> list[Row]:
        return await (self._scan_backward if reverse else self._scan_forward)(begin, end, limit)

    async def _scan_forward(self, begin: bytes, end: bytes, limit: int) -> list[Row]:
        stretches = self._memory.stretches
        rows: list[Row] = []
        while len(rows) < limit and begin < end:
            found, unknown = stretches.scan(begin, end, limit - len(rows))
            rows += found
            if len(rows) == limit or unknown >= end:
                break
            value = self.known(unknown)
            if value is not ABSENT and value is not None:
                # If the first key of all is there, it is the first row.
                rows.append((unknown, value))
                begin = unknown + b"\x00"
                continue
            # Rows are read ahead where scans go on from what is known, not at a place that is new.
            goes_on = unknown != begin or stretches.ends_at(begin)
            found, begin = await self._read(unknown, end, limit - len(rows), _ROWS_AHEAD if goes_on else 0, False)
            rows += found[: limit - len(rows)]
        return rows

    async def _scan_backward(self, begin: bytes, end: bytes, limit: int) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < limit and begin < end:
            found, end = await self._read(begin, end, limit - len(rows), 0, True)
            rows += found
        return rows[:limit]

    async def _read(self, begin: bytes, end: bytes, few: int, ahead: int, reverse: bool) -> Stretch:
        hidden = sum(value is None for value in self._pending.list_range(begin, end).values())
        future = self._reads.scan(Scan(begin, end, few + hidden, ahead, reverse))
        self._asked()
        return await future

    # -- reading from the database

    def wants_reads(self) -> bool:
        """Whether transactions wait for something to be read."""
        return bool(self._reads)

    async def read(self, session: Session) -> bool:
        """Read what is wanted; return False if that was not possible since others have had a turn.

        Not to be called during a commit: what is read must be the state without what is pending, and nothing else.
        """
        reads, self._reads = self._reads, ReadBatch()
        try:
            turn = await session.read(reads)
        except Refused as error:
            reads.fail(error)
            raise
        except BaseException:
            self._want(reads)
            raise
        if turn != self.turn:
            self._want(reads)
            return False
        reads.deliver(self._row_read, self._scanned)
        return True

    def _want(self, reads: ReadBatch) -> None:
        """Put reads back that were not answered."""
        self._reads.absorb(reads)

    def _row_read(self, key: bytes, value: bytes | None) -> bytes | None:
        above = self._pending.lookup(key)
        if above is not ABSENT:
            return above
        self._memory.learn(key, value)
        return value

    def _scanned(self, scan: Scan) -> Stretch:
        rows, stop = scan.result()
        begin, end = (stop, scan.end) if scan.reverse else (scan.begin, stop)
        if self._pending:
            rows = [row for row in rows if not self._pending.is_cleared(row[0])]
            rows = merged(rows, self._pending.list_range(begin, end), scan.reverse)
        if not scan.reverse and begin < end:
            stretches = self._memory.stretches
            known, unknown = stretches.scan(begin, end, 1)
            if not known and unknown == begin:
                stretches.insert(begin, end, rows)
        return rows, stop

    def abandon_reads(self, error: Exception) -> None:
        """Fail those who wait for something to be read."""
        reads, self._reads = self._reads, ReadBatch()
        reads.fail(error)

    # -- commits

    def unread_counters(self, transaction: OptimisticTransaction) -> list[bytes]:
        """Return the counters that must be read before the transaction can add to them."""
        return [
            key for key in transaction.adds if transaction.changes.lookup(key) is ABSENT and self.known(key) is ABSENT
        ]

    def apply(self, transaction: OptimisticTransaction) -> None:
        """Put a transaction's changes on top."""
        if transaction.adds:
            transaction.resolve_adds(self.known)
        if transaction.changes:
            self._pending.merge(transaction.changes)
            self._add(transaction.changes)

    def _add(self, changes: WriteSet) -> None:
        self.version += 1
        self.history.add(self.version, changes)
        self._memory.note(changes)

    def take_pending(self) -> WriteSet:
        """Return what is pending, which goes to the database now. `turn` is to be set when it is there."""
        pending, self._pending = self._pending, WriteSet()
        return pending

    async def catch_up(self, session: Session, turn: int) -> bool:
        """Become the state of a turn, with nothing on top; return whether others have had turns since the last."""
        if turn == self.turn:
            return False
        missed = None
        if self.turn is not None and self.turn < turn <= self.turn + _MISSED_TURNS:
            missed = await session.missed(self.turn, turn)
        if missed is None:
            self.forget()
        else:
            self._add(missed)
        self.turn = turn
        return True

    def forget(self) -> None:
        """Take back what is not in the database, and know nothing any more."""
        self._pending = WriteSet()
        self.turn = None
        self.version += 1
        self.history.add_everything(self.version)
        self._memory.forget()
