"""The history of alarms: changes of their states and settings, and their actions. It is kept for two weeks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any, Literal

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudwatch.alarm import Alarm, Kind

ItemType = Literal["ConfigurationUpdate", "StateUpdate", "Action"]

KEPT_SECONDS = 14 * 86400
_ITEMS, _OF_ACCOUNT, _OF_ALARM = Subspace("history"), Subspace("history-account"), Subspace("history-alarm")
_numbers = count()
"""Tell items of the same millisecond in which order they came."""


class HistoryItem(msgspec.Struct, array_like=True):
    """Something that happened to an alarm. `time` is in milliseconds since the epoch."""

    account: str
    region: str
    name: str
    kind: Kind
    time: int
    type: ItemType
    summary: str
    data: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(HistoryItem).decode


def note(tx: Transaction, alarm: Alarm, type: ItemType, summary: str, data: dict[str, Any], now: float) -> None:
    """Add an item to the history of an alarm."""
    item = HistoryItem(
        alarm.account, alarm.region, alarm.name, alarm.kind, int(now * 1000), type, summary, json.dumps(data)
    )
    id = f"{next(_numbers):016x}-{uuid4()}"
    tx.put(_ITEMS.key(item.time, id), _encode(item))
    for key in _indices(item, id):
        tx.put(key, b"")


def _indices(item: HistoryItem, id: str) -> Iterator[bytes]:
    yield _OF_ACCOUNT.key(item.account, item.region, item.time, id)
    yield _OF_ALARM.key(item.account, item.region, item.name, item.time, id)


async def page(
    tx: Transaction,
    account: str,
    region: str,
    name: str | None,
    begin: int,
    end: int,
    after: bytes,
    most: int,
    *,
    descending: bool,
) -> list[tuple[bytes, HistoryItem]]:
    """Return items of a span of time (ms), of one alarm or of all: after a key, in the order that is asked for."""
    space = _OF_ACCOUNT.sub(account, region) if name is None else _OF_ALARM.sub(account, region, name)
    first, last = space.key(begin), space.key(end)
    if after:
        first, last = (first, min(last, after)) if descending else (max(first, after + b"\x00"), last)
    found = []
    for key, _ in await tx.range(first, last, limit=most, reverse=descending):
        time, id = space.unpack(key)
        raw = await tx.get(_ITEMS.key(time, id))
        if raw is not None:
            found.append((key, _decode(raw)))
    return found


async def old(tx: Transaction, count: int, now: float) -> list[bytes]:
    """Return the keys of items that are too old."""
    end = _ITEMS.key(int((now - KEPT_SECONDS) * 1000))
    return [key for key, _ in await tx.range(_ITEMS.begin, end, limit=count)]


async def remove(tx: Transaction, key: bytes) -> None:
    """Remove an item, if it is still there."""
    raw = await tx.get(key)
    if raw is not None:
        for index in _indices(_decode(raw), _ITEMS.unpack(key)[1]):
            tx.delete(index)
        tx.delete(key)
