"""Segments as they come in, on whatever way."""

from __future__ import annotations

from cloudlet.core import Context, Transaction
from cloudlet.services.xray import document, storage
from cloudlet.services.xray.document import BadDocument, Document

_FAR_SECONDS = 86_400
"""The first digits of an id that W3C's rules make tell no time; they do where that is near to the segment's start."""


async def take(ctx: Context, tx: Transaction, segment: Document) -> None:
    """Store a segment. Raises BadDocument for one that comes too late, or into a trace that is full."""
    told = document.trace_time(segment.trace_id) or 0
    is_random = segment.is_w3c and abs(told - segment.start) > _FAR_SECONDS
    began = int(segment.start) if is_random else told
    if began < ctx.now() - storage.KEPT_SECONDS:
        raise BadDocument("InvalidTraceId", segment.id)
    if await storage.is_full(tx, ctx.account, ctx.region, segment.trace_id):
        raise BadDocument("TraceSizeLimitExceeded", segment.id)
    await storage.put(tx, ctx.account, ctx.region, segment, ctx.now(), began)
