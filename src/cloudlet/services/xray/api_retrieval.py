"""Operations on retrievals of traces."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.xray import document, paging, retrievals
from cloudlet.services.xray.block import service
from cloudlet.services.xray.errors import invalid
from cloudlet.services.xray.graph import Graph
from cloudlet.services.xray.trace import Trace

_PAGE = 5
"""Traces, each of which may have half a megabyte."""


@service.operation("StartTraceRetrieval")
async def start_trace_retrieval(ctx: Context, tx: Transaction, params: Params) -> Result:
    ids, begin, end = params["TraceIds"], params["StartTime"], params["EndTime"]
    if not ids:
        raise invalid("There must be a trace id at least")
    for identity in ids:
        if document.trace_time(identity) is None:
            raise invalid(f"Invalid trace id: {identity}")
    if begin > end:
        raise invalid("Start time must be before end time")
    return {"RetrievalToken": retrievals.start(ctx, tx, ids, begin, end)}


@service.direct("ListRetrievedTraces")
async def list_retrieved_traces(ctx: Context, params: Params) -> Result:
    if params.get("TraceFormat") == "OTEL":
        raise invalid("Cloudlet keeps traces as segments: the format OTEL is not built, XRAY is.")
    retrieval = await ctx.transact(lambda tx: retrievals.find(ctx, tx, params["RetrievalToken"]))
    first = retrievals.place(params.get("NextToken"), invalid("Invalid NextToken"))
    found = await retrievals.traces(ctx, retrieval, retrieval.ids[first : first + _PAGE], _shown)
    more = not retrieval.cancelled and first + _PAGE < len(retrieval.ids)
    return {
        "RetrievalStatus": retrieval.status,
        "TraceFormat": "XRAY",
        "Traces": found,
        "NextToken": str(first + _PAGE) if more else None,
    }


def _shown(trace: Trace) -> dict[str, Any]:
    spans = [{"Id": each.id, "Document": each.text} for each in trace.documents]
    return {"Id": trace.id, "Duration": trace.duration, "Spans": spans}


@service.direct("GetRetrievedTracesGraph")
async def get_retrieved_traces_graph(ctx: Context, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    retrieval = await ctx.transact(lambda tx: retrievals.find(ctx, tx, params["RetrievalToken"]))
    graph = Graph()
    await retrievals.traces(ctx, retrieval, retrieval.ids, graph.add)
    return {
        "RetrievalStatus": retrieval.status,
        "Services": [{"Service": each, "Links": []} for each in await run_in_worker(ctx.account, graph.shown)],
    }


@service.operation("CancelTraceRetrieval")
async def cancel_trace_retrieval(ctx: Context, tx: Transaction, params: Params) -> Result:
    await retrievals.cancel(ctx, tx, params["RetrievalToken"])
    return {}
