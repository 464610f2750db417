"""The times of a table's journal, in the order of its writes, though the cloud's clock may be set back.

A moment is either a time, or the beginning of an *epoch*. An epoch begins with each copy of what is there now, and
where the clock has been set back; so that epoch and time of the writes only grow, and a time of which there were two
is the later one. Whether the clock has been set back is known from a time that is written down, always a little ahead
of the writes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.store.tuple_keys import pack_int

_AHEAD_SECONDS: Final = 1.0
_PAGE: Final = 100


class Version(NamedTuple):
    """A state of a table: that in which the epoch began, or as of a time (microseconds) in that epoch or later."""

    epoch: int
    micros: int | None = None


class _Times(msgspec.Struct, array_like=True, frozen=True):
    """Times are in seconds since the epoch (of Unix)."""

    epoch: int
    """The latest one."""
    ahead: float
    """No write was later than this, by a clock that has not been set back since."""
    since: float
    """From when on all former states are known."""

    def is_set_back(self, now: float) -> bool:
        return now < self.ahead - _AHEAD_SECONDS


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Times).decode


def micros(time: float) -> int:
    return int(time * 1_000_000)


def _place(table: Table) -> bytes:
    return table.all.key("journal-times")


def _epochs(table: Table) -> Subspace:
    return table.all.sub("journal-epoch")


async def _times(tx: Transaction, table: Table) -> _Times:
    raw = await tx.get(_place(table))
    if raw is not None:
        return _decode(raw)
    recovery = table.features.recovery
    return _Times(table.features.epoch, 0.0, 0.0 if recovery is None else recovery.since)


def _begin(tx: Transaction, table: Table, times: _Times, now: float) -> int:
    epoch = times.epoch + 1
    tx.put(_epochs(table).key(epoch), pack_int(micros(now)))
    tx.put(_place(table), _encode(_Times(epoch, now + _AHEAD_SECONDS, times.since)))
    return epoch


async def epoch(tx: Transaction, table: Table, now: float) -> int:
    """Return the epoch of a write at `now`."""
    times = await _times(tx, table)
    if times.is_set_back(now):
        return _begin(tx, table, msgspec.structs.replace(times, since=min(times.since, now)), now)
    if now >= times.ahead:
        tx.put(_place(table), _encode(msgspec.structs.replace(times, ahead=now + _AHEAD_SECONDS)))
    return times.epoch


async def begin(tx: Transaction, table: Table, now: float) -> Version:
    """Begin an epoch: return the moment of what is there now."""
    times = await _times(tx, table)
    return Version(_begin(tx, table, msgspec.structs.replace(times, since=min(times.since, now)), now))


async def begin_anew(tx: Transaction, table: Table, now: float) -> None:
    """Begin an epoch before which no state is known."""
    times = await _times(tx, table)
    _begin(tx, table, msgspec.structs.replace(times, since=now), now)


async def moment(tx: Transaction, table: Table, time: float, now: float) -> Version:
    """Return the moment of a time (seconds since the epoch) until `now`: writes at that very time are part of it."""
    await epoch(tx, table, now)
    space, at = _epochs(table), micros(time)
    end = space.end
    while rows := await tx.range(space.begin, end, limit=_PAGE, reverse=True):
        for key, began in rows:
            if began <= pack_int(at):
                return Version(space.unpack(key)[0], at)
        end = rows[-1][0]
    return Version(0, at)


async def since(tx: Transaction, table: Table, now: float) -> float:
    """Return from when on all former states of a table are known (seconds since the epoch)."""
    times = await _times(tx, table)
    return min(times.since, now) if times.is_set_back(now) else times.since


async def forget(tx: Transaction, table: Table, until: float) -> None:
    """Take note that states before a time (seconds since the epoch) are not known any more."""
    times = await _times(tx, table)
    if times.since < until:
        tx.put(_place(table), _encode(msgspec.structs.replace(times, since=until)))
    space = _epochs(table)
    rows = await tx.range(space.begin, space.end, limit=_PAGE)
    for (key, _), (_, began) in pairwise(rows):
        if began <= pack_int(micros(until)):
            tx.delete(key)


def clear(tx: Transaction, table: Table) -> None:
    """Forget when epochs began: no former states are kept."""
    space = _epochs(table)
    tx.delete_range(space.begin, space.end)
