"""Where the cells of metrics are: fresh ones by themselves, older ones in chunks.

A value that is put goes into a fresh cell, of the second or the minute that it is for: one row, read and written again
with each value. A job folds fresh cells into chunks: columns of the cells of some hours or days, at each of the
resolutions that AWS keeps. At any time all that there is of a metric at a resolution is its chunk cells and its fresh
cells together. The different values of a cell, for percentiles, are in rows of their own, as most queries do not need
them. See docs/decisions/0006-metrics-storage.md.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import NamedTuple

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.cloudwatch import cell as cells
from cloudlet.services.cloudwatch.cell import Cell

HOUR, DAY = 3600, 86400
RETENTION = {1: 3 * HOUR, 60: 15 * DAY, 300: 63 * DAY, 3600: 455 * DAY}
"""For how many seconds the cells of a resolution (seconds) are kept."""
FOLD_SECONDS = 900
"""How often fresh cells are folded."""

_SPANS = {1: 900, 60: 6 * HOUR, 300: DAY, 3600: 15 * DAY}
"""How many seconds the cells of a chunk are for, by resolution."""
_FRESH, _CHUNKS, _VALUES = Subspace("fresh"), Subspace("chunk"), Subspace("values")
_DUE, _EXPIRING = Subspace("due"), Subspace("expiring")
_MANY = 1_000_000
_FOLDED = 500
"""Fresh cells that are folded in one transaction."""
_EXPIRED = 100


class Stream(NamedTuple):
    """The values of one metric that have one unit."""

    metric: bytes
    """The metric's id."""
    unit: int


class _Chunk(msgspec.Struct, array_like=True):
    """Columns: doubles in the machine's own form; times are seconds after the chunk's start."""

    times: bytes
    counts: bytes
    totals: bytes
    lows: bytes
    highs: bytes


class _Values(msgspec.Struct, array_like=True):
    """The different values of one cell of a chunk; none where they are not known."""

    values: list[float] | None
    counts: list[float] | None
    bits: int


_encode = msgspec.msgpack.Encoder().encode
_decode_cell = msgspec.msgpack.Decoder(Cell).decode
_decode_chunk = msgspec.msgpack.Decoder(_Chunk).decode
_decode_values = msgspec.msgpack.Decoder(_Values).decode


class Columns:
    """Cells in the order of time, as columns. Times are seconds since the epoch."""

    __slots__ = ("counts", "highs", "lows", "times", "totals", "values")

    def __init__(self) -> None:
        self.times: list[int] = []
        self.counts: list[float] = []
        self.totals: list[float] = []
        self.lows: list[float] = []
        self.highs: list[float] = []
        self.values: dict[int, Cell] = {}
        """Cells by their times, for those that have different values."""

    def cell(self, at: int) -> Cell:
        """Return a copy of the cell at an index."""
        kept = self.values.get(self.times[at])
        cell = Cell(self.counts[at], self.totals[at], self.lows[at], self.highs[at])
        if kept is not None and kept.values is not None and kept.counts is not None:
            cell.values, cell.counts, cell.bits = list(kept.values), list(kept.counts), kept.bits
        return cell

    def add(self, time: int, cell: Cell) -> None:
        """Add the values of a cell to that of a time."""
        at = bisect_left(self.times, time)
        if at < len(self.times) and self.times[at] == time:
            known = self.cell(at)
            cells.add(known, cell)
            cell = known
        else:
            self.times.insert(at, time)
            for column in (self.counts, self.totals, self.lows, self.highs):
                column.insert(at, 0.0)
        self.counts[at], self.totals[at], self.lows[at], self.highs[at] = cell.count, cell.total, cell.low, cell.high
        if cell.values is not None:
            self.values[time] = cell
        else:
            self.values.pop(time, None)


async def add(tx: Transaction, stream: Stream, time: int, resolution: int, cell: Cell, now: float) -> None:
    """Add values to the fresh cell of a second or a minute, which begins at `time`."""
    key = _FRESH.key(stream.metric, stream.unit, time, resolution)
    raw = await tx.get(key)
    if raw is None:
        tx.put(_DUE.key(int(now) // FOLD_SECONDS, stream.metric, stream.unit), b"")
    else:
        fresh = _decode_cell(raw)
        cells.add(fresh, cell)
        cell = fresh
    tx.put(key, _encode(cell))


# -- reading


async def read(
    tx: Transaction, stream: Stream, resolution: int, begin: int, end: int, now: float, *, values: bool
) -> Columns:
    """Return the cells of a resolution that begin in a span of time; with their different values, if asked for."""
    begin = max(begin, int(now) - RETENTION[resolution])
    columns = await _folded(tx, stream, resolution, begin, end, values=values)
    for time, cell in (await _fresh(tx, stream, resolution, begin, end)).items():
        columns.add(time, cell)
    return columns


async def _folded(tx: Transaction, stream: Stream, resolution: int, begin: int, end: int, *, values: bool) -> Columns:
    columns = Columns()
    if end <= begin:
        return columns
    span = _SPANS[resolution]
    space = _CHUNKS.sub(stream.metric, stream.unit, resolution)
    for key, raw in await tx.range(space.key(begin // span * span), space.key(end), limit=_MANY):
        (start,) = space.unpack(key)
        chunk = _decode_chunk(raw)
        times = [start + second for second in array("I", chunk.times)]
        first = 0 if times[0] >= begin else sum([time < begin for time in times])
        last = len(times) if times[-1] < end else sum([time < end for time in times])
        columns.times += times[first:last]
        columns.counts += array("d", chunk.counts)[first:last]
        columns.totals += array("d", chunk.totals)[first:last]
        columns.lows += array("d", chunk.lows)[first:last]
        columns.highs += array("d", chunk.highs)[first:last]
    if values:
        await _read_values(tx, stream, resolution, begin, end, columns)
    return columns


async def _read_values(
    tx: Transaction, stream: Stream, resolution: int, begin: int, end: int, columns: Columns
) -> None:
    space = _VALUES.sub(stream.metric, stream.unit, resolution)
    for key, raw in await tx.range(space.key(begin), space.key(end), limit=_MANY):
        (time,) = space.unpack(key)
        kept = _decode_values(raw)
        columns.values[time] = Cell(0.0, 0.0, 0.0, 0.0, kept.values, kept.counts, kept.bits)


async def _fresh(tx: Transaction, stream: Stream, resolution: int, begin: int, end: int) -> dict[int, Cell]:
    """Return what the fresh cells add to a resolution, by time. Cells of minutes add nothing to seconds."""
    found: dict[int, Cell] = {}
    space = _FRESH.sub(stream.metric, stream.unit)
    for key, raw in await tx.range(space.key(begin), space.key(end), limit=_MANY):
        time, own = space.unpack(key)
        if own > resolution:
            continue
        time -= time % resolution
        if time < begin:
            continue
        fresh = _decode_cell(raw)
        if time in found:
            cells.add(found[time], fresh)
        else:
            found[time] = fresh
    return found


# -- folding and forgetting


async def due(tx: Transaction, now: float, count: int) -> list[bytes]:
    """Return the keys of streams whose fresh cells are to be folded."""
    end = _DUE.key(int(now) // FOLD_SECONDS)
    return [key for key, _ in await tx.range(_DUE.begin, end, limit=count)]


async def fold(tx: Transaction, due_key: bytes, now: float) -> bool:
    """Fold some fresh cells of a stream that is due; return whether that were all."""
    _, metric, unit = _DUE.unpack(due_key)
    stream = Stream(metric, unit)
    space = _FRESH.sub(metric, unit)
    rows = await tx.range(space.begin, space.end, limit=_FOLDED)
    added: dict[int, dict[int, Cell]] = {resolution: {} for resolution in RETENTION}
    for key, raw in rows:
        tx.delete(key)
        time, own = space.unpack(key)
        for resolution, keeping in RETENTION.items():
            start = time - time % resolution
            if own > resolution or start < now - keeping:
                continue
            known = added[resolution].get(start)
            if known is None:
                added[resolution][start] = _decode_cell(raw)
            else:
                cells.add(known, _decode_cell(raw))
    for resolution, by_time in added.items():
        span = _SPANS[resolution]
        for start in sorted({time // span * span for time in by_time}):
            of_chunk = {time: cell for time, cell in by_time.items() if start <= time < start + span}
            await _add_to_chunk(tx, stream, resolution, start, of_chunk)
    if len(rows) < _FOLDED:
        tx.delete(due_key)
        return True
    return False


async def _add_to_chunk(tx: Transaction, stream: Stream, resolution: int, start: int, added: dict[int, Cell]) -> None:
    end = start + _SPANS[resolution]
    key = _CHUNKS.key(stream.metric, stream.unit, resolution, start)
    columns = await _folded(tx, stream, resolution, start, end, values=False)
    if columns.times:
        await _read_values(tx, stream, resolution, min(added), max(added) + 1, columns)
    else:
        tx.put(_EXPIRING.key(end + RETENTION[resolution], stream.metric, stream.unit, resolution, start), b"")
    values = _VALUES.sub(stream.metric, stream.unit, resolution)
    for time, cell in added.items():
        had_values = time in columns.values
        columns.add(time, cell)
        whole = columns.values.get(time)
        if whole is not None:
            tx.put(values.key(time), _encode(_Values(whole.values, whole.counts, whole.bits)))
        elif had_values:
            tx.delete(values.key(time))
    chunk = _Chunk(
        array("I", [time - start for time in columns.times]).tobytes(),
        array("d", columns.counts).tobytes(),
        array("d", columns.totals).tobytes(),
        array("d", columns.lows).tobytes(),
        array("d", columns.highs).tobytes(),
    )
    tx.put(key, _encode(chunk))


async def forget(tx: Transaction, now: float) -> bool:
    """Remove some chunks whose time is up; return whether that were all."""
    rows = await tx.range(_EXPIRING.begin, _EXPIRING.key(int(now) + 1), limit=_EXPIRED)
    for key, _ in rows:
        _, metric, unit, resolution, start = _EXPIRING.unpack(key)
        values = _VALUES.sub(metric, unit, resolution)
        tx.delete(_CHUNKS.key(metric, unit, resolution, start))
        tx.delete_range(values.key(start), values.key(start + _SPANS[resolution]))
        tx.delete(key)
    return len(rows) < _EXPIRED
