"""Where the cells of metrics are: fresh ones by themselves, older ones in chunks.

A value that is put goes into a fresh cell, of the second or the minute that it is for: one row, read and written again
with each value. A job folds fresh cells into chunks: columns of the cells of some hours or days, at each of the
resolutions that AWS keeps. At any time all that there is of a metric at a resolution is its chunk cells and its fresh
cells together. The different values of a cell, for percentiles, are in rows of their own, as most queries do not need
them. See docs/decisions/0006-metrics-storage.md.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.cloudwatch import cell as cells
from cloudlet.services.cloudwatch.cell import Cell
from cloudlet.services.cloudwatch.columns import Columns

HOUR, DAY = 3600, 86400
RETENTION = {1: 3 * HOUR, 60: 15 * DAY, 300: 63 * DAY, 3600: 455 * DAY}
"""For how many seconds the cells of a resolution (seconds) are kept."""
FOLD_SECONDS = 900
"""How often fresh cells are folded."""
SOON_SECONDS = 60
"""How soon those are that are of a time long ago: whoever puts such brings many, and each only once."""

_SPANS = {1: 900, 60: 6 * HOUR, 300: DAY, 3600: 15 * DAY}
"""How many seconds the cells of a chunk are for, by resolution."""
_FRESH, _CHUNKS, _VALUES = Subspace("fresh"), Subspace("chunk"), Subspace("values")
_DUE, _EXPIRING = Subspace("due"), Subspace("expiring")
_MANY = 1_000_000
_FOLDED = 200
"""Fresh cells that are folded in one transaction."""
_WORTH_A_RANGE = 50
"""Rows that are removed as a range: the store remembers a removed range for longer than a removed row."""
_ZERO = 0x14
"""The code of a packed 0; that of a number of so many bytes is so much more."""


class Stream(NamedTuple):
    """The values of one metric that have one unit."""

    metric: bytes
    """The metric's id."""
    unit: int


class _Chunk(msgspec.Struct, array_like=True):
    """Columns, as they are in memory."""

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


async def add(tx: Transaction, stream: Stream, time: int, resolution: int, cell: Cell, now: float) -> None:
    """Add values to the fresh cell of a second or a minute, which begins at `time`."""
    key = _FRESH.key(stream.metric, stream.unit, time, resolution)
    raw = await tx.get(key)
    if raw is None:
        every = FOLD_SECONDS if now - time < HOUR else SOON_SECONDS
        tx.put(_DUE.key((int(now) // every + 1) * every, stream.metric, stream.unit), b"")
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
    for _, raw in await tx.range(space.key(begin // span * span), space.key(end), limit=_MANY):
        chunk = _decode_chunk(raw)
        columns.times.frombytes(chunk.times)
        columns.counts.frombytes(chunk.counts)
        columns.totals.frombytes(chunk.totals)
        columns.lows.frombytes(chunk.lows)
        columns.highs.frombytes(chunk.highs)
    columns.cut(begin, end)
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
    """Return what the fresh cells add to a resolution, by time. Cells of minutes add to the second they begin with."""
    found: dict[int, Cell] = {}
    space = _FRESH.sub(stream.metric, stream.unit)
    for key, raw in await tx.range(space.key(begin), space.key(end), limit=_MANY):
        time = _time(key, space)
        time -= time % resolution
        if time < begin:
            continue
        fresh = _decode_cell(raw)
        if time in found:
            cells.add(found[time], fresh)
        else:
            found[time] = fresh
    return found


def _time(key: bytes, space: Subspace) -> int:
    """Return when a fresh cell begins, by its key; what follows there is its resolution."""
    at = len(space.prefix)
    return int.from_bytes(key[at + 1 : at + 1 + key[at] - _ZERO], "big")


async def extent(tx: Transaction, stream: Stream, resolution: int, begin: int, end: int) -> tuple[int, int]:
    """Return from when to when there are cells of a resolution in a span of time, at the most."""
    span = _SPANS[resolution]
    chunks, fresh = _CHUNKS.sub(stream.metric, stream.unit, resolution), _FRESH.sub(stream.metric, stream.unit)
    first, last = end, begin
    for space, low, width in ((chunks, begin // span * span, span), (fresh, begin, resolution)):
        for reverse in (False, True):
            for key, _ in await tx.range(space.key(low), space.key(end), limit=1, reverse=reverse):
                time = space.unpack(key)[0]
                first, last = min(first, time), max(last, time + width)
    return max(begin, first // resolution * resolution), min(end, last)


# -- folding and forgetting


async def due(tx: Transaction, now: float, count: int) -> list[bytes]:
    """Return the keys of streams whose fresh cells are to be folded."""
    return [key for key, _ in await tx.range(_DUE.begin, _DUE.key(int(now) + 1), limit=count)]


async def fold(tx: Transaction, due_key: bytes, after: bytes, now: float) -> bytes | None:
    """Fold some fresh cells of a stream that is due, after a key; return the last of them, or None if that were all."""
    _, metric, unit = _DUE.unpack(due_key)
    stream = Stream(metric, unit)
    space = _FRESH.sub(metric, unit)
    rows = await tx.range(max(space.begin, after), space.end, limit=_FOLDED)
    _remove(tx, [key for key, _ in rows])
    added: dict[tuple[int, int], dict[int, Cell]] = {}
    for key, raw in rows:
        time = _time(key, space)
        for resolution, keeping in RETENTION.items():
            start = time - time % resolution
            if start < now - keeping:
                continue
            span = _SPANS[resolution]
            chunk = added.setdefault((resolution, time - time % span), {})
            known = chunk.get(start)
            if known is None:
                chunk[start] = _decode_cell(raw)
            else:
                cells.add(known, _decode_cell(raw))
    for (resolution, start), of_chunk in added.items():
        await _add_to_chunk(tx, stream, resolution, start, of_chunk)
    if len(rows) == _FOLDED:
        return rows[-1][0]
    tx.delete(due_key)
    return None


def _remove(tx: Transaction, keys: list[bytes]) -> None:
    """Remove rows that follow each other."""
    if len(keys) >= _WORTH_A_RANGE:
        tx.delete_range(keys[0], keys[-1] + b"\x00")
        return
    for key in keys:
        tx.delete(key)


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
        columns.times.tobytes(),
        columns.counts.tobytes(),
        columns.totals.tobytes(),
        columns.lows.tobytes(),
        columns.highs.tobytes(),
    )
    tx.put(key, _encode(chunk))


async def old(tx: Transaction, count: int, now: float) -> list[bytes]:
    """Return the keys of chunks whose time is up."""
    return [key for key, _ in await tx.range(_EXPIRING.begin, _EXPIRING.key(int(now) + 1), limit=count)]


async def remove(tx: Transaction, expiring_key: bytes) -> None:
    """Remove a chunk whose time is up."""
    _, metric, unit, resolution, start = _EXPIRING.unpack(expiring_key)
    values = _VALUES.sub(metric, unit, resolution)
    tx.delete(_CHUNKS.key(metric, unit, resolution, start))
    tx.delete_range(values.key(start), values.key(start + _SPANS[resolution]))
    tx.delete(expiring_key)
