"""The operation that takes spans from exporters of OpenTelemetry: `POST /v1/traces`.

CloudWatch user guide, "OTLP endpoints": who may call it needs the action `xray:PutSpans`.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.xray import document, otlp, receiving, spans
from cloudlet.services.xray.block import service
from cloudlet.services.xray.document import BadDocument, Document

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

_BATCH = 100
"""Spans that are stored in one transaction."""
_MOST_SPAN_BYTES = 200_000
_LATEST_SECONDS = 2 * 3600
_EARLIEST_SECONDS = 14 * 86_400
_TOLD_REASONS = 5
Reasons = Counter[str]
"""Why spans were not taken, and how often."""
Read = list[list[Document]]
"""The documents of each span."""


@service.direct("PutSpans")
async def put_spans(ctx: Context, params: Params) -> Result:
    """Store spans as segments. What cannot be stored is counted in the answer, with a reason; the rest is taken."""
    form = otlp.kind(params.get("ContentType"))
    read, reasons = await run_in_worker(ctx.account, _read, params.get("Body") or b"", form, ctx.now())
    for at in range(0, len(read), _BATCH):
        batch = read[at : at + _BATCH]

        async def store(tx: Transaction, batch: Read = batch) -> Reasons:
            return await _store(ctx, tx, batch)

        reasons += await ctx.transact(store)
    why = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(_TOLD_REASONS))
    return {"ContentType": form, "Body": otlp.answer(form, reasons.total(), why)}


def _read(body: bytes, form: str, now: float) -> tuple[Read, Reasons]:
    """Return the documents of the spans of a request, and why there are none of others. Raises AwsError."""
    read: Read = []
    reasons: Reasons = Counter()
    for span, resource, scope in otlp.spans(body, form):
        try:
            _check_time(span, now)
            told = spans.documents(span, resource, scope)
            texts = [json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in told]
            read.append([document.parse(text, _MOST_SPAN_BYTES) for text in texts])
        except BadDocument as problem:
            reasons[problem.code] += 1
    return read, reasons


def _check_time(span: Span, now: float) -> None:
    """Raise BadDocument for a span of a time that is too far away."""
    start = span.start_time_unix_nano / 1e9
    if not now - _EARLIEST_SECONDS <= start <= now + _LATEST_SECONDS:
        raise BadDocument("InvalidStartTime", span.span_id.hex())


async def _store(ctx: Context, tx: Transaction, batch: Read) -> Reasons:
    """Store the documents of some spans; return why others were not."""
    reasons: Reasons = Counter()
    for documents in batch:
        try:
            for each in documents:
                await receiving.take(ctx, tx, each)
        except BadDocument as problem:
            reasons[problem.code] += 1
    return reasons
