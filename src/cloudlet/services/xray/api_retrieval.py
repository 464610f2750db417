"""Operations on retrievals of traces."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.xray import document, paging, retrievals
from cloudlet.services.xray.block import service
from cloudlet.services.xray.errors import invalid
from cloudlet.services.xray.graph import Graph

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


@service.operation("ListRetrievedTraces")
async def list_retrieved_traces(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("TraceFormat") == "OTEL":
        raise invalid("Cloudlet keeps traces as segments: the format OTEL is not built, XRAY is.")
    retrieval = await retrievals.find(ctx, tx, params["RetrievalToken"])
    first = retrievals.place(params.get("NextToken"), invalid("Invalid NextToken"))
    found = await retrievals.traces(ctx, tx, retrieval, first, _PAGE)
    more = not retrieval.cancelled and first + _PAGE < len(retrieval.ids)
    return {
        "RetrievalStatus": retrieval.status,
        "TraceFormat": "XRAY",
        "Traces": [
            {
                "Id": trace.id,
                "Duration": trace.duration,
                "Spans": [{"Id": each.id, "Document": each.text} for each in trace.documents],
            }
            for trace in found
        ],
        "NextToken": str(first + _PAGE) if more else None,
    }


@service.direct("GetRetrievedTracesGraph")
async def get_retrieved_traces_graph(ctx: Context, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    retrieval = await ctx.transact(lambda tx: retrievals.find(ctx, tx, params["RetrievalToken"]))
    graph = Graph()
    for first in range(0, len(retrieval.ids), _PAGE):
        found = await ctx.transact(lambda tx, first=first: retrievals.traces(ctx, tx, retrieval, first, _PAGE))  # type: ignore[misc]
        for trace in found:
            graph.add(trace)
    return {
        "RetrievalStatus": retrieval.status,
        "Services": [{"Service": each, "Links": []} for each in graph.shown()],
    }


@service.operation("CancelTraceRetrieval")
async def cancel_trace_retrieval(ctx: Context, tx: Transaction, params: Params) -> Result:
    await retrievals.cancel(ctx, tx, params["RetrievalToken"])
    return {}
