"""Listings: what is below a prefix, in the order of keys, with what shares a longer prefix rolled up into one entry.

S3 user guide, "Organizing objects using prefixes"; API reference, "ListObjectsV2". A listing costs what it shows: all
that a common prefix stands for is skipped by seeking behind it, however much it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeAlias, TypeVar

from cloudlet.core import Subspace, Transaction
from cloudlet.store import pack
from cloudlet.store.tuple_keys import successor

T = TypeVar("T")

Entry: TypeAlias = tuple[str, bytes, T]
"""What a listing shows of a row: its key in S3, its whole key in the store, its value."""

LARGEST_PAGE: Final = 1000
_FIRST_ROWS_AFTER_SEEK: Final = 8
_ESCAPED: Final = 0xFF
"""Behind a zero byte: the zero byte is part of a longer key."""
_VERSIONS_BEFORE_SEEK: Final = 8
"""So many rows of one key are passed over before it pays to look for the next key."""
_ROWS_AT_A_TIME: Final = 4 * LARGEST_PAGE
"""So many rows are looked at before others have their turn."""


class Found(Generic[T]):
    """One page of a listing. `last` is the entry or the common prefix that came last, None where there is none."""

    __slots__ = ("entries", "last", "prefixes", "resume", "seen", "truncated")

    def __init__(self) -> None:
        self.entries: list[Entry[T]] = []
        self.prefixes: list[str] = []
        self.truncated = False
        self.last: Entry[T] | str | None = None
        self.resume = b""
        """Where to look for the rest of the page, b"" where it is complete."""
        self.seen: str | None = None
        """The key whose rows were looked at last."""

    def copy(self) -> Found[T]:
        """Return what was found so far, to be added to."""
        found: Found[T] = Found()
        found.entries, found.prefixes = self.entries.copy(), self.prefixes.copy()
        found.last, found.seen = self.last, self.seen
        return found


def begin_of(space: Subspace, prefix: str) -> bytes:
    """Return where the rows begin whose keys start with a prefix."""
    return space.prefix + pack((prefix,))[:-1]


def end_of(space: Subspace, prefix: str) -> bytes:
    """Return where they end."""
    return successor(begin_of(space, prefix)) if prefix else space.end


def behind_key(space: Subspace, key: str) -> bytes:
    """Return where the rows end that belong to one key."""
    return space.prefix + pack((key,)) + b"\xff"


def start_after(space: Subspace, prefix: str, delimiter: str, key: str) -> bytes:
    """Return where to go on behind a key, or behind the common prefix that it is, or is rolled up into."""
    begin = begin_of(space, prefix)
    if not key or key < prefix:
        return begin
    common = common_prefix(key, prefix, delimiter)
    return max(begin, behind_key(space, key) if common is None else end_of(space, common))


def start_within(space: Subspace, prefix: str, delimiter: str, key: str, row: bytes) -> bytes:
    """Return where to go on behind one of the rows of a key, unless the key is not shown for itself."""
    if key < prefix or common_prefix(key, prefix, delimiter) is not None:
        return start_after(space, prefix, delimiter, key)
    return row + b"\0"


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """Return what a key is rolled up into: it up to the first delimiter behind the prefix."""
    if not delimiter or not key.startswith(prefix):
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


def _escaped_key_at(row: bytes, start: int, end: int) -> tuple[str, int]:
    """Return the key in a row that has zero bytes in it, the first of them at `end`, and where it ends there."""
    while row[end + 1] == _ESCAPED:
        end = row.index(b"\0", end + 2)
    return row[start:end].replace(b"\0\xff", b"\0").decode(), end


async def listed(
    tx: Transaction,
    space: Subspace,
    decode: Callable[[bytes], T | None],
    *,
    prefix: str,
    delimiter: str,
    begin: bytes,
    limit: int,
    first_only: bool = False,
    in_turns: bool = False,
    before: Found[T] | None = None,
) -> Found[T]:
    """Return up to `limit` entries and common prefixes from `begin` on, of rows that are (key, …) below `space`.

    `decode` gives a row's value, None where it does not count. With `first_only` the first row of each key counts.
    With `in_turns` the page is not complete where it takes many rows: its rest is asked for with it as `before`.
    """
    found: Found[T] = Found() if before is None else before.copy()
    if limit <= 0:
        return found
    entries, prefixes = found.entries, found.prefixes
    start = len(space.prefix) + 1
    last_key = found.seen
    repeated = looked_at = 0
    end = end_of(space, prefix)
    rows_wanted = limit + 1
    while begin < end:
        rows = await tx.range(begin, end, limit=rows_wanted)
        seek: bytes | None = None
        # Most of what a page costs is done here, for each of its rows: nothing is called that need not be.
        for row, value in rows:
            if seek is not None:
                if row < seek:
                    continue
                seek = None
            key_end = row.index(b"\0", start)
            if row[key_end + 1] == _ESCAPED:
                key, key_end = _escaped_key_at(row, start, key_end)
            else:
                key = row[start:key_end].decode()
            if first_only:
                if key == last_key:
                    repeated += 1
                    if repeated == _VERSIONS_BEFORE_SEEK:
                        seek = row[:key_end] + b"\0\xff"
                    continue
                last_key = key
                repeated = 0
            shown = decode(value)
            if shown is None:
                continue
            if len(entries) + len(prefixes) == limit:
                found.truncated = True
                return found
            common = common_prefix(key, prefix, delimiter) if delimiter else None
            if common is None:
                found.last = entry = (key, row, shown)
                entries.append(entry)
            else:
                prefixes.append(common)
                found.last = common
                seek = end_of(space, common)
        if len(rows) < rows_wanted:
            return found
        last = rows[-1][0]
        if seek is not None and seek > last:
            begin, rows_wanted = seek, _FIRST_ROWS_AFTER_SEEK
        else:
            begin, rows_wanted = last + b"\0", min(rows_wanted * 2, LARGEST_PAGE + 1)
        looked_at += len(rows)
        if in_turns and looked_at >= _ROWS_AT_A_TIME and begin < end:
            found.resume, found.seen = begin, last_key
            return found
    return found
