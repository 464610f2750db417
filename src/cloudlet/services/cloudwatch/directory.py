"""Which metrics there are, in the order of namespaces, names and dimensions."""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.cloudwatch.metric import Metric
from cloudlet.services.cloudwatch.storage import DAY, HOUR, RETENTION, Stream

LISTED_SECONDS = 14 * DAY
"""How long a metric is found after its last value ("ListMetrics", "Search expressions")."""
RECENT_SECONDS = 3 * HOUR

_METRICS = Subspace("metric")
_SEEN_SECONDS = 60
"""How exactly it is known when a metric had its last value: noting it each time would cost a write."""


class Entry(msgspec.Struct, array_like=True):
    """What is known of a metric. `seen` is when it had its last value, in seconds since the epoch."""

    seen: int
    units: list[int]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


def _key(metric: Metric) -> bytes:
    return _METRICS.prefix + metric.key


async def note(tx: Transaction, metric: Metric, unit: int, now: float) -> None:
    """Note that a metric has a value in a unit."""
    key = _key(metric)
    raw = await tx.get(key)
    if raw is None:
        tx.put(key, _encode(Entry(int(now), [unit])))
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
    return [(key, Metric(*_METRICS.unpack(key)), _decode(raw).seen) for key, raw in rows]


async def forget(tx: Transaction, after: bytes, count: int, now: float) -> bytes | None:
    """Remove metrics that have no data any more; return the key to go on after, or None at the end."""
    rows = await tx.range(max(_METRICS.begin, after), _METRICS.end, limit=count)
    for key, raw in rows:
        if _decode(raw).seen < now - max(RETENTION.values()) - LISTED_SECONDS:
            tx.delete(key)
    return rows[-1][0] + b"\x00" if len(rows) == count else None
