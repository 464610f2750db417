"""Which metrics there are, in the order of namespaces, names and dimensions."""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.cloudwatch.metric import Dimensions, Metric
from cloudlet.services.cloudwatch.storage import DAY, HOUR, RETENTION, Stream

LISTED_SECONDS = 14 * DAY
"""How long a metric is found after its last value ("ListMetrics", "Search expressions")."""
RECENT_SECONDS = 3 * HOUR

_METRICS = Subspace("metric")
_SEEN_SECONDS = 60
"""How exactly it is known when a metric had its last value: noting it each time would cost a write."""


_LONGEST_KEY = 2000
"""Bytes. There are engines that take no longer ones; the dimensions of one metric may be 38 KB."""


class Entry(msgspec.Struct, array_like=True):
    """What is known of a metric. `seen` is when it had its last value, in seconds since the epoch."""

    seen: int
    units: list[int]
    dimensions: Dimensions = ()
    """Where they are too long to be in the key, which has the metric's id instead."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


def _is_long(metric: Metric) -> bool:
    return len(metric.key) > _LONGEST_KEY


def _key(metric: Metric) -> bytes:
    if _is_long(metric):
        return _METRICS.key(metric.account, metric.region, metric.namespace, metric.name, metric.id)
    return _old_key(metric)


def _old_key(metric: Metric) -> bytes:
    """Return the key that a metric had once, however long it is."""
    return _METRICS.prefix + metric.key


def _metric(key: bytes, entry: Entry) -> Metric:
    found = Metric(*_METRICS.unpack(key))
    return found._replace(dimensions=entry.dimensions) if isinstance(found.dimensions, bytes) else found


async def note(tx: Transaction, metric: Metric, unit: int, now: float) -> None:
    """Note that a metric has a value in a unit."""
    key = _key(metric)
    raw = await tx.get(key)
    if raw is None:
        units = [unit]
        if _is_long(metric) and (old := await tx.get(_old_key(metric))) is not None:
            units = sorted({unit, *_decode(old).units})
            tx.delete(_old_key(metric))
        tx.put(key, _encode(Entry(int(now), units, metric.dimensions if _is_long(metric) else ())))
        return
    entry = _decode(raw)
    if unit not in entry.units:
        entry.units.append(unit)
    elif entry.seen > now - _SEEN_SECONDS:
        return
    entry.seen = max(entry.seen, int(now))
    tx.put(key, _encode(entry))


async def streams(tx: Transaction, metric: Metric, unit: int | None) -> list[Stream]:
    """Return the streams of a metric: one for each unit that its values have, or that of one unit."""
    raw = await tx.get(_key(metric))
    if raw is None and _is_long(metric):
        raw = await tx.get(_old_key(metric))
    if raw is None:
        return []
    id = metric.id
    return [Stream(id, code) for code in sorted(_decode(raw).units) if unit is None or code == unit]


async def page(
    tx: Transaction, account: str, region: str, namespace: str | None, name: str | None, after: bytes, count: int
) -> list[tuple[bytes, Metric, int]]:
    """Return metrics after a key, up to `count`: their keys, themselves, and when they had their last values.

    Only those of a namespace, if one is given; names are told apart where a namespace is given too.
    """
    space = _METRICS.sub(account, region)
    if namespace is not None:
        space = space.sub(namespace) if name is None else space.sub(namespace, name)
    rows = await tx.range(max(space.begin, after + b"\x00" if after else b""), space.end, limit=count)
    entries = [(key, _decode(raw)) for key, raw in rows]
    return [(key, _metric(key, entry), entry.seen) for key, entry in entries]


async def keys(tx: Transaction, after: bytes, count: int) -> list[bytes]:
    """Return the keys of metrics, those that come after a key."""
    rows = await tx.range(max(_METRICS.begin, after + b"\x00"), _METRICS.end, limit=count)
    return [key for key, _ in rows]


async def forget(tx: Transaction, key: bytes, now: float) -> None:
    """Remove a metric that has no data any more."""
    raw = await tx.get(key)
    if raw is not None and _decode(raw).seen < now - max(RETENTION.values()) - LISTED_SECONDS:
        tx.delete(key)
