"""Listings: what is below a prefix, in the order of keys, with what shares a longer prefix rolled up into one entry.

S3 user guide, "Organizing objects using prefixes"; API reference, "ListObjectsV2". A listing costs what it shows: all
that a common prefix stands for is skipped by seeking behind it, however much it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from cloudlet.core import Subspace, Transaction
from cloudlet.store import pack
from cloudlet.store.keys import successor

T = TypeVar("T")

LARGEST_PAGE = 1000
_FIRST_ROWS_AFTER_SEEK = 8
_ESCAPED = 0xFF
"""Behind a zero byte: the zero byte is part of a longer key."""
_VERSIONS_BEFORE_SEEK = 8
"""So many rows of one key are passed over before it pays to look for the next key."""


class Entry(NamedTuple, Generic[T]):
    """What a listing shows of a row: its key in S3, its whole key in the store, its value."""

    key: str
    row: bytes
    value: T


@dataclass(slots=True)
class Found(Generic[T]):
    """One page of a listing. `last` is the entry or the common prefix that came last, None where there is none."""

    entries: list[Entry[T]] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    last: Entry[T] | str | None = None


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


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """Return what a key is rolled up into: it up to the first delimiter behind the prefix."""
    if not delimiter or not key.startswith(prefix):
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


def _key_at(row: bytes, start: int) -> tuple[str, int]:
    """Return the key in a row, and where it ends there."""
    at = end = row.index(b"\0", start)
    if row[end + 1 : end + 2] != b"\xff":
        return row[start:end].decode(), end + 1
    while row[at + 1 : at + 2] == b"\xff":
        at = row.index(b"\0", at + 2)
    return row[start:at].replace(b"\0\xff", b"\0").decode(), at + 1


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
) -> Found[T]:
    """Return up to `limit` entries and common prefixes from `begin` on, of rows that are (key, …) below `space`.

    `decode` gives a row's value, None where it does not count. With `first_only` the first row of each key counts.
    """
    found: Found[T] = Found()
    if limit <= 0:
        return found
    walk = _Walk(space, first_only=first_only)
    end = end_of(space, prefix)
    rows_wanted = limit + 1
    while begin < end:
        rows = await tx.range(begin, end, limit=rows_wanted)
        seek: bytes | None = None
        for row, value in rows:
            if seek is not None and row < seek:
                continue
            seek = walk.passes_over(row)
            if seek is not None:
                continue
            shown = decode(value)
            if shown is None:
                continue
            if len(found.entries) + len(found.prefixes) == limit:
                found.truncated = True
                return found
            common = common_prefix(walk.key, prefix, delimiter)
            if common is None:
                found.last = Entry(walk.key, row, shown)
                found.entries.append(found.last)
            else:
                found.prefixes.append(common)
                found.last = common
                seek = end_of(space, common)
        if len(rows) < rows_wanted:
            return found
        last = rows[-1][0]
        if seek is not None and seek > last:
            begin, rows_wanted = seek, _FIRST_ROWS_AFTER_SEEK
        else:
            begin, rows_wanted = last + b"\0", min(rows_wanted * 2, LARGEST_PAGE + 1)
    return found


class _Walk:
    """Goes from row to row and knows which key it is at."""

    def __init__(self, space: Subspace, *, first_only: bool) -> None:
        self.key = ""
        self._start = len(space.prefix) + 1
        self._row_key = b""
        self._first_only = first_only
        self._repeated = 0

    def passes_over(self, row: bytes) -> bytes | None:
        """Note the row's key. Return where to go on where only the first row of a key counts and this is another."""
        if self._row_key and row.startswith(self._row_key) and row[len(self._row_key)] != _ESCAPED:
            if not self._first_only:
                return None
            self._repeated += 1
            return self._row_key + b"\xff" if self._repeated >= _VERSIONS_BEFORE_SEEK else row + b"\0"
        self.key, end = _key_at(row, self._start)
        self._row_key = row[:end]
        self._repeated = 0
        return None
