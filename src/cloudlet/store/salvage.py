"""Salvage of a damaged store: the rows that can be read, and the gaps between them.

The folder is only read, so nothing gets worse; nobody may have the store open meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rocksdict import AccessType, Rdict, ReadOptions

from cloudlet.store.interface import Row, StoreError
from cloudlet.store.optimistic import WriteSet, merged
from cloudlet.store.rocks import SAFE, decode_record, options
from cloudlet.store.write_ahead_log import SEGMENT_FILES, records_in

_BEGIN: Final = b""
_END: Final = SAFE
_BATCH_ROWS: Final = 500
_SAMPLED_EVERY: Final = 20
_MAX_KNOWN_KEYS: Final = 400
_PROBED_BYTES: Final = 24
_MAX_PROBED_BYTES: Final = 200
"""The bytes of a key, behind a shared prefix, that tell two places apart."""


class Gap(NamedTuple):
    """Rows that cannot be read: some of those behind the key `after` and before the key `before`."""

    after: bytes
    before: bytes
    reason: str


class DamagedStore:
    """A store as far as it can be read. Raises StoreError where not even its table of contents can."""

    def __init__(self, folder: Path) -> None:
        ours = options()
        try:
            self._db = Rdict(str(folder), ours, column_families={"default": ours}, access_type=AccessType.read_only())
        except Exception as error:
            raise StoreError(f"cannot open {folder}: {error}") from error
        self._read_options = ReadOptions()
        self._logged = _logged(folder)
        self._known: list[bytes] = []
        """Some of the keys that were read, from all over the data."""

    def close(self) -> None:
        self._db.close()

    def rows(self) -> Iterator[list[Row] | Gap]:
        """Return batches of rows in order, and a gap for rows that cannot be read."""
        begin = _BEGIN
        while begin < _END:
            batch, end, reason = self._forward(begin)
            stop = end if reason is None else (batch[-1][0] + b"\x00" if batch else begin)
            own = self._logged.list_range(begin, stop)
            kept = [row for row in batch if not self._logged.is_cleared(row[0])]
            if own or kept:
                yield merged(kept, own, False)
            begin = stop
            self._know(batch)
            if reason is not None:
                following = self._following(stop)
                # What the log has of the gap's rows is yielded with the next batch.
                yield Gap(stop, following, reason)
                if lost := self._logged.list_range(stop, following):
                    yield merged([], lost, False)
                begin = following

    def _know(self, batch: list[Row]) -> None:
        self._known += [key for key, _ in batch[::_SAMPLED_EVERY]]
        if len(self._known) > _MAX_KNOWN_KEYS:
            del self._known[::2]

    def _forward(self, begin: bytes) -> tuple[list[Row], bytes, str | None]:
        """Return the next rows, the key before which these are all, and why they end where that is damage."""
        rows: list[Row] = []
        cursor = self._db.iter(self._read_options)
        cursor.seek(begin)
        while cursor.valid():
            key = cursor.key()
            if key >= _END:
                return rows, _END, None
            if len(rows) == _BATCH_ROWS:
                return rows, key, None
            rows.append((key, cursor.value()))
            cursor.next()
        try:
            cursor.status()
        except Exception as error:
            return rows, begin, str(error)
        return rows, _END, None

    def _following(self, begin: bytes) -> bytes:
        """Return about the first readable key behind `begin`, which is not readable.

        Nothing tells where a table's blocks begin. Places are tried that are built as known keys are, and others that
        are twice as far away each time.
        """
        last = self._lowest_from_the_end(begin)
        known = [*self._known, *(key for key, _ in self._forward(last)[0][::_SAMPLED_EVERY])]
        shared = _shared(begin, last)
        places = {
            end[:at] + key[at:]
            for end in (begin, last)
            for key in known
            for at in range(shared, min(len(end), _MAX_PROBED_BYTES))
        }
        low, high = _number(begin, shared), _number(last, shared)
        steps = (low + (high - low >> shift) for shift in range(_PROBED_BYTES * 8))
        places.update(last[:shared] + step.to_bytes(_PROBED_BYTES, "big") for step in steps)
        return self._first_readable(begin, last, places)

    def _first_readable(self, begin: bytes, last: bytes, places: Iterable[bytes]) -> bytes:
        """Return the first key from which rows can be read, as far as some places and those between them tell."""
        best, low = last, begin
        for place in sorted(place for place in places if begin < place < last):
            key = self._readable(place)
            if key is not None:
                best = key
                break
            low = place
        return self._boundary(low, best)

    def _readable(self, place: bytes) -> bytes | None:
        """Return the first key from a place on, if it can be read."""
        cursor = self._db.iter(self._read_options)
        cursor.seek(place)
        return cursor.key() if cursor.valid() else None

    def _boundary(self, low: bytes, best: bytes) -> bytes:
        """Return the first readable key between a place that is not readable and a key that is."""
        shared = _shared(low, best)
        prefix, below, above = best[:shared], _number(low, shared), _number(best, shared)
        while above - below > 1:
            middle = (below + above) // 2
            key = self._readable(prefix + middle.to_bytes(_PROBED_BYTES, "big"))
            if key is None:
                below = middle
            else:
                best, above = min(best, key), middle
        return best

    def _lowest_from_the_end(self, begin: bytes) -> bytes:
        """Return the lowest key that a scan from the end of the data reaches."""
        cursor = self._db.iter(self._read_options)
        cursor.seek_for_prev(_END)
        lowest = _END
        while cursor.valid():
            key = cursor.key()
            if key < begin:
                break
            lowest = key
            cursor.prev()
        return lowest


def _shared(one: bytes, other: bytes) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count


def _number(key: bytes, shared: int) -> int:
    return int.from_bytes(key[shared : shared + _PROBED_BYTES].ljust(_PROBED_BYTES, b"\x00"), "big")


def _logged(folder: Path) -> WriteSet:
    """Return the last changes that the write-ahead log has; some of them may be in the tables already."""
    found: dict[int, bytes] = {}
    for file in folder.glob(SEGMENT_FILES):
        found.update(records_in(file))
    number = max(found, default=0)
    while number - 1 in found:
        number -= 1
    changes = WriteSet()
    while number in found:
        for cleared, writes in decode_record(found[number]):
            later = WriteSet()
            later.cleared, later.writes = cleared, writes
            changes.merge(later)
        number += 1
    return changes
