"""Operations on traces: how segments come, and how traces are found."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.core.background.workers import LARGE, run_in_worker
from cloudlet.services.xray import document, filter_grammar, finding, paging, receiving, storage, summary
from cloudlet.services.xray.block import service
from cloudlet.services.xray.document import BadDocument, Document
from cloudlet.services.xray.errors import invalid
from cloudlet.services.xray.finding import Range
from cloudlet.services.xray.trace import Trace

_MOST_DOCUMENTS = 50
_MOST_IDS = 5
_MOST_SUMMARIES = 100
_MOST_SCANNED = 1000
_MOST_SUMMARISED = 2 << 20
"""Characters of the traces of a page: a summary may be twice as large as its trace."""
_INSTANCE = re.compile(r"(?:i-)?[0-9A-Za-z]*")


@service.direct("PutTraceSegments")
async def put_trace_segments(ctx: Context, params: Params) -> FinalTransaction:
    texts = params["TraceSegmentDocuments"]
    if len(texts) > _MOST_DOCUMENTS:
        raise invalid(f"Number of segments exceeds limit {_MOST_DOCUMENTS}")
    read = await run_in_worker(ctx.account, _read, texts) if sum(map(len, texts)) > LARGE else _read(texts)
    return FinalTransaction(partial(_store, ctx, read))


def _read(texts: list[str]) -> list[Document | BadDocument]:
    """Return what each of some documents says, or what is wrong with it."""
    read: list[Document | BadDocument] = []
    for text in texts:
        try:
            read.append(document.parse(text))
        except BadDocument as problem:
            read.append(problem)
    return read


async def _store(ctx: Context, read: list[Document | BadDocument], tx: Transaction) -> Result:
    bad = []
    for each in read:
        try:
            if isinstance(each, BadDocument):
                raise each
            await receiving.take(ctx, tx, each)
        except BadDocument as problem:
            bad.append({"Id": problem.identity, "ErrorCode": problem.code, "Message": str(problem)})
    return {"UnprocessedTraceSegments": bad}


@service.direct("BatchGetTraces")
async def batch_get_traces(ctx: Context, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    if len(params["TraceIds"]) > _MOST_IDS:
        raise invalid(f"Number of trace ids exceeds limit {_MOST_IDS}")
    shown = []
    for identity in dict.fromkeys(params["TraceIds"]):
        found = await finding.of_id(ctx, identity, _shown)
        if found is not None:
            is_full = await ctx.transact(
                lambda tx, identity=identity: storage.is_full(tx, ctx.account, ctx.region, identity)  # type: ignore[misc]
            )
            shown.append({**found, "LimitExceeded": is_full})
    # An id of which nothing is known is left out; the unprocessed ones are those to ask for again.
    return {"Traces": shown, "UnprocessedTraceIds": []}


def _shown(trace: Trace) -> dict[str, Any]:
    segments = [{"Id": each.id, "Document": each.text} for each in trace.documents]
    return {"Id": trace.id, "Duration": trace.duration, "Segments": segments}


@service.direct("GetTraceSummaries")
async def get_trace_summaries(ctx: Context, params: Params) -> Result:
    finding.check_range(params["StartTime"], params["EndTime"])
    kind = params.get("TimeRangeType") or "TraceId"
    asked = Range(params["StartTime"], params["EndTime"], kind, _share(params))
    wanted = filter_grammar.parse(params.get("FilterExpression") or "")
    shown: list[dict[str, Any]] = []
    scanned = summarised = 0
    token = None
    after = page_tokens.parse_page_token(params.get("NextToken"), invalid("Invalid NextToken"))
    async for place, found in finding.matching(ctx, asked, wanted, _summary, after):
        scanned += 1
        if found is not None:
            shown.append(found[0])
            summarised += found[1]
        if scanned == _MOST_SCANNED and params.get("Sampling"):
            # A part of the traces was asked for.
            break
        if len(shown) == _MOST_SUMMARIES or scanned == _MOST_SCANNED or summarised >= _MOST_SUMMARISED:
            token = page_tokens.make_page_token(place)
            break
    return {
        "TraceSummaries": shown,
        "ApproximateTime": ctx.now(),
        "TracesProcessedCount": scanned,
        "NextToken": token,
    }


def _summary(trace: Trace) -> tuple[dict[str, Any], int]:
    """Return the summary of a trace, and how large the trace is."""
    return summary.summary(trace), sum([len(each.text) for each in trace.documents])


def _share(params: Params) -> float:
    """Return which share of the traces is looked through. Raises AwsError."""
    strategy = params.get("SamplingStrategy")
    if strategy is None or params.get("Sampling") is False:
        return 1.0
    share: float | None = strategy.get("Value")
    if strategy.get("Name") is None or share is None or not 0 <= share <= 1:
        raise invalid("SamplingStrategy must have a Name, and a Value between 0 and 1")
    return share


@service.operation("PutTelemetryRecords")
async def put_telemetry_records(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Take what a daemon tells of itself. AWS shows it nowhere, so it is not kept."""
    identity = params.get("EC2InstanceId")
    if identity and _INSTANCE.fullmatch(identity) is None:
        raise invalid(f"Invalid EC2InstanceId: {identity}")
    return {}
