"""Traces as calls look for them: by ids, or by time and filter, some at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from zlib import crc32

from cloudlet.core import Context, Transaction
from cloudlet.services.xray import document, filtering, groups, storage
from cloudlet.services.xray.errors import invalid
from cloudlet.services.xray.filter_grammar import Filter
from cloudlet.services.xray.filtering import Groups
from cloudlet.services.xray.trace import Trace

_PAGE = 20
"""Traces that are read in one transaction."""
LONGEST_RANGE_SECONDS = 24 * 3600


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


async def of_id(ctx: Context, tx: Transaction, identity: str) -> Trace | None:
    """Return a trace, if there is one of an id."""
    if document.trace_time(identity) is None:
        return None
    found = await storage.segments(tx, ctx.account, ctx.region, identity)
    return Trace(identity, found, ctx.account) if found else None


async def matching(
    ctx: Context, asked: Range, wanted: Filter | None, after: bytes | None = None
) -> AsyncIterator[tuple[bytes, Trace | None]]:
    """Go through the traces of a time range, or a share of them.

    Give the place of each, and itself where the filter holds of it.
    """
    known: Groups = await ctx.transact(lambda tx: groups.filters(ctx, tx))
    while True:

        async def page(tx: Transaction, after: bytes | None = after) -> tuple[list[tuple[bytes, Trace | None]], bytes]:
            """Return traces with their places, and the place of the last one; nothing where it is the last page."""
            places = await _places(ctx, tx, asked, after)
            found = [
                (place, await _at(ctx, tx, place, identity, asked))
                for place, identity in places
                if asked.samples(identity)
            ]
            return found, places[-1][0] if len(places) == _PAGE else b""

        found, last = await ctx.transact(page)
        for place, trace in found:
            yield place, trace if trace is not None and filtering.holds(wanted, trace, known) else None
        if not last:
            return
        after = last


async def _places(ctx: Context, tx: Transaction, asked: Range, after: bytes | None) -> list[tuple[bytes, str]]:
    where = (tx, ctx.account, ctx.region)
    match asked.kind:
        case "TraceId":
            return await storage.began(*where, asked.begin, asked.end, after, _PAGE)
        case "Service":
            return await storage.ended(*where, asked.begin, asked.end, after, _PAGE)
    return await storage.ended(*where, asked.begin, None, after, _PAGE)


async def _at(ctx: Context, tx: Transaction, place: bytes, identity: str, asked: Range) -> Trace | None:
    """Return the trace that was found at a place, if this is where it counts: each of its segments has a place."""
    trace = await of_id(ctx, tx, identity)
    if trace is None or asked.kind == "TraceId":
        return trace
    inside = [storage.place(ctx.account, ctx.region, each) for each in trace.documents if _is_inside(each, asked)]
    return trace if inside and place == min(inside) else None


def _is_inside(segment: document.Document, asked: Range) -> bool:
    end = segment.start if segment.end is None else segment.end
    if asked.kind == "Service":
        return asked.begin <= end < asked.end
    return segment.start < asked.end and end >= asked.begin
