"""The operation that takes spans from exporters of OpenTelemetry: `POST /v1/traces`.

CloudWatch user guide, "OTLP endpoints": who may call it needs the action `xray:PutSpans`.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.xray import document, otlp, receiving, spans
from cloudlet.services.xray.block import service
from cloudlet.services.xray.document import BadDocument
from cloudlet.services.xray.spans import Attributes

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

_BATCH = 100
"""Spans that are stored in one transaction."""
_MOST_SPAN_BYTES = 200_000
_LATEST_SECONDS = 2 * 3600
_EARLIEST_SECONDS = 14 * 86_400


@service.direct("PutSpans")
async def put_spans(ctx: Context, params: Params) -> Result:
    """Store spans as segments. What cannot be stored is counted in the answer, with a reason; the rest is taken."""
    form = otlp.kind(params.get("ContentType"))
    found = await asyncio.to_thread(otlp.spans, params.get("Body") or b"", form)
    reasons: Counter[str] = Counter()
    for at in range(0, len(found), _BATCH):
        batch = found[at : at + _BATCH]

        async def store(tx: Transaction, batch: Sequence[tuple[Span, Attributes]] = batch) -> Counter[str]:
            return await _store(ctx, tx, batch)

        reasons += await ctx.transact(store)
        await asyncio.sleep(0)
    why = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(5))
    return {"ContentType": form, "Body": otlp.answer(form, reasons.total(), why)}


async def _store(ctx: Context, tx: Transaction, batch: Sequence[tuple[Span, Attributes]]) -> Counter[str]:
    """Store some spans; return why others were not, with how often that was so."""
    reasons: Counter[str] = Counter()
    for span, resource in batch:
        try:
            _check_time(ctx, span)
            for each in spans.documents(span, resource):
                text = json.dumps(each, ensure_ascii=False, separators=(",", ":"))
                await receiving.take(ctx, tx, document.parse(text, _MOST_SPAN_BYTES))
        except BadDocument as problem:
            reasons[problem.code] += 1
    return reasons


def _check_time(ctx: Context, span: Span) -> None:
    """Raise BadDocument for a span of a time that is too far away."""
    start, now = span.start_time_unix_nano / 1e9, ctx.now()
    if not now - _EARLIEST_SECONDS <= start <= now + _LATEST_SECONDS:
        raise BadDocument("InvalidStartTime", span.span_id.hex())
