"""Traces as calls look for them: by ids, or by time and filter, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeVar
from zlib import crc32

from cloudlet.core import Context, Transaction
from cloudlet.core.background.workers import LARGE, run_in_worker
from cloudlet.services.xray import document, filtering, groups, storage
from cloudlet.services.xray.errors import invalid
from cloudlet.services.xray.filter_grammar import Filter
from cloudlet.services.xray.filtering import Groups, asks_for_groups, size
from cloudlet.services.xray.trace import Trace

_PAGE = 100
"""Places of traces that are read in one transaction."""
_MOST_COUNTED = 10_000
"""Traces of which it is remembered where they count: a trace of thousands of segments is read once, not for each."""
LONGEST_RANGE_SECONDS = 24 * 3600
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Range:
    """begin <= time < end, in seconds since the epoch, of the time in traces' ids, of events, or of services' ends."""

    begin: float
    end: float
    kind: str = "TraceId"
    share: float = 1.0
    """Of the traces; which of them, their ids decide."""

    def samples(self, identity: str) -> bool:
        """Whether the trace of an id is among the share that is looked through."""
        return self.share >= 1 or crc32(identity.encode()) < self.share * 2**32


def check_range(begin: float, end: float, longest: float = LONGEST_RANGE_SECONDS) -> None:
    """Raise AwsError for a time range that cannot be asked for."""
    if begin > end:
        raise invalid("Start time must be before end time")
    if end - begin > longest:
        raise invalid(f"Time range cannot be longer than {longest / 3600:g} hours")


async def of_id(ctx: Context, identity: str, make: Callable[[Trace], T], parts: int = 1) -> T | None:
    """Return what is made of a trace, if there is one of an id.

    Of a large one that is done beside the event loop, or where so many parts of a filter look at all that it has.
    """
    if document.trace_time(identity) is None:
        return None
    texts = await ctx.transact(lambda tx: storage.segments(tx, ctx.account, ctx.region, identity))
    if not texts:
        return None

    def made() -> T:
        return make(Trace(identity, [document.stored(text) for text in texts], ctx.account))

    return await run_in_worker(ctx.account, made) if sum(map(len, texts)) * parts > LARGE else made()


async def matching(
    ctx: Context, asked: Range, wanted: Filter | None, make: Callable[[Trace], T], after: bytes | None = None
) -> AsyncIterator[tuple[bytes, T | None]]:
    """Go through the traces of a time range, or a share of them.

    Give the place of each, and what is made of it where the filter holds of it.
    """
    known: Groups = await ctx.transact(lambda tx: groups.filters(ctx, tx)) if asks_for_groups(wanted) else {}
    parts = 1 + size(wanted, known)
    counted: dict[str, bytes] = {}
    while True:

        async def page(tx: Transaction, after: bytes | None = after) -> list[tuple[bytes, str]]:
            return await _places(ctx, tx, asked, after)

        places = await ctx.transact(page)
        for place, identity in places:
            if not asked.samples(identity):
                continue
            # A trace may take milliseconds: others are to have their turn.
            await asyncio.sleep(0)
            if counted.get(identity, place) != place:
                yield place, None
                continue

            def look(trace: Trace, place: bytes = place) -> tuple[bytes, T | None]:
                at = place if asked.kind == "TraceId" else _counts_at(ctx, trace, asked)
                return at, make(trace) if at == place and filtering.holds(wanted, trace, known) else None

            at, found = await of_id(ctx, identity, look, parts) or (None, None)
            if at is not None and asked.kind != "TraceId":
                if len(counted) == _MOST_COUNTED:
                    counted.clear()
                counted[identity] = at
            yield place, found
        if len(places) < _PAGE:
            return
        after = places[-1][0]


async def _places(ctx: Context, tx: Transaction, asked: Range, after: bytes | None) -> list[tuple[bytes, str]]:
    where = (tx, ctx.account, ctx.region)
    match asked.kind:
        case "TraceId":
            return await storage.began(*where, asked.begin, asked.end, after, _PAGE)
        case "Service":
            return await storage.ended(*where, asked.begin, asked.end, after, _PAGE)
    return await storage.ended(*where, asked.begin, None, after, _PAGE)


def _counts_at(ctx: Context, trace: Trace, asked: Range) -> bytes:
    """Return the place where a trace counts, b"" if it does nowhere: each of its segments has a place."""
    inside = [storage.place(ctx.account, ctx.region, each) for each in trace.documents if _is_inside(each, asked)]
    return min(inside, default=b"")


def _is_inside(segment: document.Document, asked: Range) -> bool:
    end = segment.start if segment.end is None else segment.end
    if asked.kind == "Service":
        return asked.begin <= end < asked.end
    return segment.start < asked.end and end >= asked.begin
