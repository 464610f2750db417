"""Optimistic transactions: what one reads and would write, and whether others have changed what it read meanwhile."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Final

from cloudlet.store.interface import Row, StoreError, Transaction
from cloudlet.store.recent import ABSENT

_COUNTERS: Final = 1 << 63
_EVERYTHING: Final = (b"", b"\xff" * 16)


class State(ABC):
    """The state that transactions read: what all of them before have committed."""

    version: int
    """Grows with each commit."""

    @abstractmethod
    def known(self, key: bytes) -> bytes | None:
        """Return the value of a key if that takes no reading (None where there is no such key), or ABSENT."""

    @abstractmethod
    async def fetch(self, key: bytes) -> bytes | None:
        """Return the value of a key."""

    @abstractmethod
    async def scan(self, begin: bytes, end: bytes, limit: int, reverse: bool) -> list[Row]:
        """Return up to `limit` rows with begin <= key < end."""


class WriteSet:
    """Changes to a state: ranges that are cleared, and above them keys that are set or (None) deleted."""

    __slots__ = ("cleared", "writes")

    def __init__(self) -> None:
        self.writes: dict[bytes, bytes | None] = {}
        self.cleared: list[tuple[bytes, bytes]] = []

    def __bool__(self) -> bool:
        return bool(self.writes or self.cleared)

    def lookup(self, key: bytes) -> bytes | None:
        """Return what the changes make of a key (None: it is gone), or ABSENT where they leave it."""
        value = self.writes.get(key, ABSENT)
        if value is ABSENT and self.cleared and self.is_cleared(key):
            return None
        return value  # type: ignore[no-any-return]

    def is_cleared(self, key: bytes) -> bool:
        return any(low <= key < high for low, high in self.cleared)

    def clear(self, begin: bytes, end: bytes) -> None:
        for key in [key for key in self.writes if begin <= key < end]:
            del self.writes[key]
        self.cleared.append((begin, end))

    def merge(self, later: WriteSet) -> None:
        """Take in changes that were made on top of these."""
        for begin, end in later.cleared:
            self.clear(begin, end)
        self.writes.update(later.writes)

    def list_range(self, begin: bytes, end: bytes) -> dict[bytes, bytes | None]:
        """Return what is written to keys with begin <= key < end."""
        return {key: value for key, value in self.writes.items() if begin <= key < end}

    def uncleared(self, begin: bytes, end: bytes, reverse: bool) -> list[tuple[bytes, bytes]]:
        """Return the parts of a range that are not cleared."""
        parts = [(begin, end)]
        for low, high in self.cleared:
            parts = [
                part
                for start, stop in parts
                for part in ((start, min(stop, low)), (max(start, high), stop))
                if part[0] < part[1]
            ]
        return sorted(parts, reverse=reverse)


def merged(rows: list[Row], writes: dict[bytes, bytes | None], reverse: bool) -> list[Row]:
    """Return rows with writes put over them."""
    result = {key: value for key, value in rows if key not in writes}
    result.update((key, value) for key, value in writes.items() if value is not None)
    return sorted(result.items(), reverse=reverse)


class OptimisticTransaction(Transaction):
    """Reads go to the state below the transaction's own writes; writes wait until the commit."""

    __slots__ = ("_state", "adds", "changes", "read_keys", "read_ranges", "topics", "version")

    def __init__(self, state: State) -> None:
        self._state = state
        self.version = state.version
        self.changes = WriteSet()
        self.adds: dict[bytes, int] = {}
        self.read_keys: list[bytes] = []
        self.read_ranges: list[tuple[bytes, bytes]] = []
        self.topics: list[bytes] = []

    async def get(self, key: bytes) -> bytes | None:
        written = self.changes.lookup(key)
        if written is not ABSENT:
            return written
        self.read_keys.append(key)
        value = self._state.known(key)
        return await self._state.fetch(key) if value is ABSENT else value

    async def counter(self, key: bytes) -> int:
        return _counted(await self.get(key)) + self.adds.get(key, 0)

    async def range(self, begin: bytes, end: bytes, *, limit: int, reverse: bool = False) -> list[Row]:
        if limit < 1 or begin >= end:
            return []
        if self.changes:
            rows = await self._rows(begin, end, limit, reverse)
        else:
            rows = await self._state.scan(begin, end, limit, reverse)
        if len(rows) == limit:
            # What lies behind the last row was not looked at, and may change.
            last = rows[-1][0]
            self.read_ranges.append((last, end) if reverse else (begin, last + b"\x00"))
        else:
            self.read_ranges.append((begin, end))
        return rows

    async def _rows(self, begin: bytes, end: bytes, limit: int, reverse: bool) -> list[Row]:
        own = self.changes.list_range(begin, end)
        hidden = sum(1 for value in own.values() if value is None)
        rows: list[Row] = []
        for low, high in self.changes.uncleared(begin, end, reverse):
            rows += await self._state.scan(low, high, limit + hidden - len(rows), reverse)
            if len(rows) >= limit + hidden:
                break
        return (merged(rows, own, reverse) if own else rows)[:limit]

    def put(self, key: bytes, value: bytes) -> None:
        self.changes.writes[key] = value
        if self.adds:
            self.adds.pop(key, None)

    def delete(self, key: bytes) -> None:
        self.changes.writes[key] = None
        self.adds.pop(key, None)

    def delete_range(self, begin: bytes, end: bytes) -> None:
        if begin >= end:
            return
        for key in [key for key in self.adds if begin <= key < end]:
            del self.adds[key]
        self.changes.clear(begin, end)

    def add(self, key: bytes, delta: int) -> None:
        self.adds[key] = self.adds.get(key, 0) + delta

    def notify(self, topic: bytes) -> None:
        self.topics.append(topic)

    def resolve_adds(self, read: Callable[[bytes], bytes | None]) -> None:
        """Turn what was added to counters into writes; called at the commit, when nobody else can commit.

        Raises StoreError where a counter would no longer be a signed 64-bit integer.
        """
        for key, delta in self.adds.items():
            value = self.changes.lookup(key)
            if value is ABSENT:
                value = read(key)
            total = _counted(value) + delta
            if not -_COUNTERS <= total < _COUNTERS:
                raise StoreError(f"a counter has no room for {total}")
            self.changes.writes[key] = total.to_bytes(8, "big", signed=True)


def _counted(value: bytes | None) -> int:
    return 0 if value is None else int.from_bytes(value, "big", signed=True)


class ConflictDetector:
    """The last commits, as far as a transaction that is under way could conflict with them."""

    __slots__ = ("_commits", "_open")

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        """How many transactions are under way, by the version of the state that they began with: the oldest first."""
        self._commits: deque[tuple[int, WriteSet]] = deque()

    def __bool__(self) -> bool:
        """Whether any transaction is under way."""
        return bool(self._open)

    def enter(self, version: int) -> None:
        """Note that a transaction begins, with the present version of the state."""
        self._open[version] = self._open.get(version, 0) + 1

    def leave(self, version: int) -> None:
        """Note that a transaction is over; what only it could have conflicted with is of no interest any more."""
        others = self._open[version] - 1
        if others:
            self._open[version] = others
            return
        del self._open[version]
        commits = self._commits
        if not commits:
            return
        if not self._open:
            commits.clear()
            return
        oldest = next(iter(self._open))
        while commits and commits[0][0] <= oldest:
            commits.popleft()

    def add(self, version: int, commit: WriteSet) -> None:
        """Note the commit that made the state's version what it is."""
        if self._open:
            self._commits.append((version, commit))

    def add_everything(self, version: int) -> None:
        """Note that anything may have changed."""
        everything = WriteSet()
        everything.cleared.append(_EVERYTHING)
        self.add(version, everything)

    def conflicts(self, transaction: OptimisticTransaction) -> bool:
        """Whether anything that the transaction read was changed by a commit since it began."""
        keys = set(transaction.read_keys)
        for version, other in reversed(self._commits):
            if version <= transaction.version:
                break
            if not keys.isdisjoint(other.writes):
                return True
            if any(low <= key < high for low, high in transaction.read_ranges for key in other.writes):
                return True
            for low, high in other.cleared:
                if any(low <= key < high for key in keys):
                    return True
                if any(begin < high and low < end for begin, end in transaction.read_ranges):
                    return True
        return False
