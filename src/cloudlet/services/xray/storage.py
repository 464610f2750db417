"""Segments as they are stored, found by the trace they are of and by time, and kept for 30 days.

A trace is found by the time in its id (where that tells none, by the start of the segment that came first), and by the
times at which its segments ended (or began, while in progress).
"""

from __future__ import annotations

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.services.xray import document
from cloudlet.services.xray.document import Document

KEPT_SECONDS = 30 * 86_400
MOST_TRACE_BYTES = 500_000
_MOST_SEGMENTS = 10_000

_SEGMENTS = Subspace("segment")
"""Account, region, trace id, id → the text of a document."""
_BYTES = Subspace("trace-bytes")
"""Account, region, trace id → counter of the bytes of its documents."""
_BEGAN = Subspace("began")
"""Account, region, the time at which a trace began, trace id → nothing."""
_BEGINNING = Subspace("beginning")
"""Account, region, trace id → when a trace began whose id does not tell it, in whole seconds."""
_ENDED = Subspace("ended")
"""Account, region, the end of a segment in whole seconds, trace id, id → nothing."""
_RECEIVED = Subspace("received")
"""When it was stored in whole seconds, account, region, trace id, id → nothing."""
_WHEN = Subspace("when")
"""Account, region, trace id, id → when it was stored, in whole seconds."""


async def put(tx: Transaction, account: str, region: str, segment: Document, now: float, began: int) -> None:
    """Store a segment in the place of the one of its id, if there is one; one in progress replaces none that ended.

    `began` is when its trace began, as far as that can be told from this segment, in seconds since the epoch.
    """
    key = _SEGMENTS.key(account, region, segment.trace_id, segment.id)
    raw = await tx.get(key)
    if raw is not None:
        old = document.stored(raw)
        if old.end is not None and segment.end is None:
            return
        await _remove(tx, account, region, old)
    size = _BYTES.key(account, region, segment.trace_id)
    text = segment.text.encode()
    tx.put(key, text)
    tx.add(size, len(text))
    if began == document.trace_time(segment.trace_id):
        tx.put(_BEGAN.key(account, region, began, segment.trace_id), b"")
    elif await tx.get(beginning := _BEGINNING.key(account, region, segment.trace_id)) is None:
        tx.put(beginning, str(began).encode())
        tx.put(_BEGAN.key(account, region, began, segment.trace_id), b"")
    tx.put(place(account, region, segment), b"")
    tx.put(_RECEIVED.key(int(now), account, region, segment.trace_id, segment.id), b"")
    tx.put(_WHEN.key(account, region, segment.trace_id, segment.id), str(int(now)).encode())


async def _forget_trace(tx: Transaction, account: str, region: str, trace_id: str) -> None:
    """Forget a trace that has no segments any more."""
    beginning = _BEGINNING.key(account, region, trace_id)
    raw = await tx.get(beginning)
    if raw is not None:
        tx.delete(_BEGAN.key(account, region, int(raw), trace_id))
        tx.delete(beginning)
    tx.delete(_BEGAN.key(account, region, document.trace_time(trace_id) or 0, trace_id))
    tx.delete(_BYTES.key(account, region, trace_id))


def place(account: str, region: str, segment: Document) -> bytes:
    """Return where `ended` finds a segment."""
    end = int(segment.start if segment.end is None else segment.end)
    return _ENDED.key(account, region, end, segment.trace_id, segment.id)


async def _remove(tx: Transaction, account: str, region: str, segment: Document) -> None:
    key = _SEGMENTS.key(account, region, segment.trace_id, segment.id)
    when = _WHEN.key(account, region, segment.trace_id, segment.id)
    tx.delete(key)
    tx.add(_BYTES.key(account, region, segment.trace_id), -len(segment.text.encode()))
    tx.delete(place(account, region, segment))
    stored = await tx.get(when)
    if stored is not None:
        tx.delete(_RECEIVED.key(int(stored), account, region, segment.trace_id, segment.id))
        tx.delete(when)


async def is_full(tx: Transaction, account: str, region: str, trace_id: str) -> bool:
    """Whether a trace has as many bytes as it can have, or more."""
    return await tx.counter(_BYTES.key(account, region, trace_id)) >= MOST_TRACE_BYTES


async def segments(tx: Transaction, account: str, region: str, trace_id: str) -> list[bytes]:
    """Return the texts of the documents of a trace."""
    space = _SEGMENTS.sub(account, region, trace_id)
    rows = await tx.range(space.begin, space.end, limit=_MOST_SEGMENTS)
    return [raw for _, raw in rows]


async def began(
    tx: Transaction, account: str, region: str, begin: float, end: float, after: bytes | None, limit: int
) -> list[tuple[bytes, str]]:
    """Return ids of traces that began at begin <= time < end, with the places where they were found."""
    space = _BEGAN.sub(account, region)
    first = _from(space, begin, after)
    rows = await tx.range(first, max(first, space.key(_ceiling(end))), limit=limit)
    return [(key, str(_BEGAN.unpack(key)[3])) for key, _ in rows]


async def ended(
    tx: Transaction, account: str, region: str, begin: float, end: float | None, after: bytes | None, limit: int
) -> list[tuple[bytes, str]]:
    """Return ids of traces with segments that ended at begin <= time < end, in whole seconds, once for each segment."""
    space = _ENDED.sub(account, region)
    first = _from(space, int(begin // 1), after)
    last = space.end if end is None else space.key(_ceiling(end))
    rows = await tx.range(first, max(first, last), limit=limit)
    return [(key, str(_ENDED.unpack(key)[3])) for key, _ in rows]


def _from(space: Subspace, begin: float, after: bytes | None) -> bytes:
    first = space.key(_ceiling(begin))
    return first if after is None else max(first, after + b"\0")


def _ceiling(time: float) -> int:
    return -int(-time // 1)


async def forget(block: Block) -> None:
    """Delete segments that are too old, now and then, until the block ends."""
    await delete_expired(block, _RECEIVED, KEPT_SECONDS, _delete)


async def _delete(tx: Transaction, key: bytes) -> None:
    """Delete a segment by the row of when it was stored, and its trace with the last one."""
    _, account, region, trace_id, identity = _RECEIVED.unpack(key)
    raw = await tx.get(_SEGMENTS.key(account, region, trace_id, identity))
    if raw is not None:
        await _remove(tx, account, region, document.stored(raw))
    space = _SEGMENTS.sub(account, region, trace_id)
    if not await tx.range(space.begin, space.end, limit=1):
        await _forget_trace(tx, account, region, trace_id)
