"""Operations on what traces tell together: graphs, and statistics over time."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.xray import filter_grammar, finding, groups, paging
from cloudlet.services.xray.block import service
from cloudlet.services.xray.errors import invalid
from cloudlet.services.xray.filter_grammar import Edges, Filter, Services
from cloudlet.services.xray.filtering import selected
from cloudlet.services.xray.finding import Range
from cloudlet.services.xray.graph import Graph
from cloudlet.services.xray.statistics import Statistics
from cloudlet.services.xray.trace import Trace

_MOST_IDS = 5
_PERIODS = (60, 300)
_SERVICE_RANGE_SECONDS = 6 * 3600.0
_STATISTICS_RANGE_SECONDS = 6 * 3600.0


@service.direct("GetServiceGraph")
async def get_service_graph(ctx: Context, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    finding.check_range(params["StartTime"], params["EndTime"], _SERVICE_RANGE_SECONDS)
    wanted = await _group_filter(ctx, params)
    graph = Graph()
    async for _ in finding.matching(ctx, Range(params["StartTime"], params["EndTime"], "Event"), wanted, graph.add):
        if graph.is_full:
            break
    return {
        "StartTime": params["StartTime"],
        "EndTime": params["EndTime"],
        "Services": await run_in_worker(ctx.account, graph.shown),
        "ContainsOldGroupVersions": False,
    }


async def _group_filter(ctx: Context, params: Params) -> Filter | None:
    """Return the filter of the group that is asked for, if one is. Raises AwsError."""
    name, arn = params.get("GroupName"), params.get("GroupARN")
    if name is None and arn is None:
        return None
    group = await ctx.transact(lambda tx: groups.find(ctx, tx, name, arn))
    return filter_grammar.parse(group.filter)


@service.direct("GetTraceGraph")
async def get_trace_graph(ctx: Context, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    if len(params["TraceIds"]) > _MOST_IDS:
        raise invalid(f"Number of trace ids exceeds limit {_MOST_IDS}")
    graph = Graph()
    for identity in dict.fromkeys(params["TraceIds"]):
        await finding.of_id(ctx, identity, graph.add)
    return {"Services": await run_in_worker(ctx.account, graph.shown)}


@service.direct("GetTimeSeriesServiceStatistics")
async def get_time_series_service_statistics(ctx: Context, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    begin, end = params["StartTime"], params["EndTime"]
    finding.check_range(begin, end, _STATISTICS_RANGE_SECONDS)
    if params.get("ForecastStatistics"):
        raise invalid("Cloudlet makes no forecasts: leave out ForecastStatistics.")
    period = params.get("Period") or _PERIODS[0]
    if period not in _PERIODS:
        raise invalid("Period must be 60 or 300 seconds")
    selector = filter_grammar.parse(params.get("EntitySelectorExpression") or "")
    if not isinstance(selector, Services | Edges | None):
        raise invalid("EntitySelectorExpression must be a service() or an edge() expression")
    wanted = await _group_filter(ctx, params)
    series: dict[int, Statistics] = {}

    def count(trace: Trace) -> None:
        # Where nothing is selected, these are all calls, those of clients from outside too.
        meant = [call.entity for call in trace.calls()] if selector is None else selected(selector, trace)
        for entity in meant:
            if entity.end is not None and begin <= entity.end < end:
                series.setdefault(int(entity.end // period) * period, Statistics()).count(entity)

    async for _ in finding.matching(ctx, Range(begin, end, "Event"), wanted, count):
        pass
    member = "ServiceSummaryStatistics" if isinstance(selector, Services) else "EdgeSummaryStatistics"
    return {
        "TimeSeriesServiceStatistics": [
            {
                "Timestamp": moment,
                member: series[moment].shown(),
                "ResponseTimeHistogram": series[moment].histogram(),
            }
            for moment in sorted(series)
        ],
        "ContainsOldGroupVersions": False,
    }
