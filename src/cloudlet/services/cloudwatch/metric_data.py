"""GetMetricData. API reference, "GetMetricData"."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timezone
from typing import Any

from cloudlet.core import Context, Params, Result
from cloudlet.core.aws import page_tokens
from cloudlet.core.background.workers import offload_if
from cloudlet.services.cloudwatch import errors, labels, query_check, querying
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.expressions.functions import size
from cloudlet.services.cloudwatch.expressions.series import TimeSeries
from cloudlet.services.cloudwatch.metric import Metric
from cloudlet.services.cloudwatch.query_check import MetricQuery, Query

MOST_QUERIES = 500
MOST_DATAPOINTS = 100_800

_QUICK = 5000
"""So many datapoints are put on a page within some milliseconds; more, beside the event loop."""
_Shown = tuple[Query, TimeSeries, str]
"""A series that is returned: of which query, and its label."""


async def get_metric_data(ctx: Context, params: Params) -> Result:
    """Return the series of queries, a page of them."""
    given = params["MetricDataQueries"]
    if len(given) > MOST_QUERIES:
        raise errors.validation(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
    begin, end = int(params["StartTime"]), int(params["EndTime"])
    if begin == end:
        raise errors.validation("The parameter StartTime must not equal parameter EndTime.")
    if begin > end:
        raise errors.validation("The parameter StartTime must be less than the parameter EndTime.")
    most = params.get("MaxDatapoints", MOST_DATAPOINTS)
    if not 1 <= most <= MOST_DATAPOINTS:
        raise errors.validation(f"The parameter MaxDatapoints must be between 1 and {MOST_DATAPOINTS}.")
    queries = await query_check.read(ctx.account, ctx.region, given, "MetricDataQueries")
    if not any(query.returned for query in queries):
        raise errors.validation("At least one of the MetricDataQueries must have ReturnData set to true.")
    zone = labels.zone_of((params.get("LabelOptions") or {}).get("Timezone"))
    asker = Asker(ctx.block.store, ctx.account, ctx.region, ctx.now())
    results = await querying.results_of(asker, queries, begin, end)
    returned = [(query, results.values[query.id]) for query in queries if query.returned]
    after = _time_of(params.get("NextToken"))
    defaults = default_labels(queries)
    descending = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"

    def page() -> tuple[list[dict[str, Any]], str | None]:
        labels_and_series = [(query, labelled(query, value, defaults, asker.now, zone)) for query, value in returned]
        shown = [(query, series, label) for query, several in labels_and_series for label, series in several]
        return _page(shown, most, after, descending=descending)

    is_much = sum([size(value) for _, value in returned]) > _QUICK
    results_of_page, token = await offload_if(is_much, ctx.account, page)
    messages = [{"Code": code, "Value": text} for code, text in results.messages]
    return {"MetricDataResults": results_of_page, "NextToken": token, "Messages": messages}


def default_labels(queries: Sequence[Query]) -> dict[str, str]:
    """Return the labels of statistics by id: the metric's name, and what tells statistics of one metric apart."""
    by_metric: dict[Metric, list[MetricQuery]] = {}
    for query in queries:
        if isinstance(query, MetricQuery) and query.returned:
            by_metric.setdefault(query.metric, []).append(query)
    found = {}
    for metric, several in by_metric.items():
        have_periods = len({query.period for query in several}) > 1
        have_statistics = have_periods or len({query.statistic for query in several}) > 1
        for query in several:
            statistic, period = f" {query.statistic.name}", f" {query.period}"
            found[query.id] = metric.name + statistic * have_statistics + period * have_periods
    return found


def labelled(
    query: Query, value: TimeSeries | list[TimeSeries], defaults: Mapping[str, str], now: float, zone: timezone
) -> Iterator[tuple[str, TimeSeries]]:
    """Yield the series of a query, each with its label; `defaults` are those of statistics that were given none."""
    several = isinstance(value, list)
    for series in value if isinstance(value, list) else [value]:
        default = defaults.get(query.id) or _default_label(query, series, several=several)
        label = default if query.label is None else _given_label(query.label, series, several)
        yield labels.filled(label, series, default, now, zone), series


def _default_label(query: Query, series: TimeSeries, *, several: bool) -> str:
    if isinstance(query, MetricQuery) or (several and series.label):
        return series.label
    return query.id


def _given_label(label: str, series: TimeSeries, several: bool) -> str:
    """Return the label that a query gives; before that of each series, where there are several."""
    if not several or "${" in label or not series.label:
        return label
    return f"{label} {series.label}".strip()


def _page(
    shown: list[_Shown], most: int, after: int | None, *, descending: bool
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the results of a page after a time, and the token of the next: pages follow each other in time."""
    if after is None:
        kept = [series.points for _, series, _ in shown]
    else:
        kept = [
            {time: value for time, value in series.points.items() if (time < after) == descending and time != after}
            for _, series, _ in shown
        ]
    last: int | None = None
    if sum([len(points) for points in kept]) > most:
        counts: dict[int, int] = {}
        for points in kept:
            for time in points:
                counts[time] = counts.get(time, 0) + 1
        total = 0
        for time in sorted(counts, reverse=descending):
            total += counts[time]
            if total > most and last is not None:
                break
            last = time
    results = []
    for (query, _, label), points in zip(shown, kept, strict=True):
        times = list(points)
        if last is not None:
            times = [time for time in times if (time >= last if descending else time <= last)]
        partial = len(times) < len(points)
        if descending:
            times.reverse()
        values = [points[time] for time in times]
        status = "PartialData" if partial else "Complete"
        results.append({"Id": query.id, "Label": label, "Timestamps": times, "Values": values, "StatusCode": status})
    more = last is not None and any(result["StatusCode"] == "PartialData" for result in results)
    return results, page_tokens.make_page_token(json.dumps(last).encode()) if more else None


def _time_of(token: str | None) -> int | None:
    """Return the time with which the page before ended. Raises AwsError."""
    if token is None:
        return None
    try:
        time = json.loads(page_tokens.parse_page_token(token, errors.invalid_token()))
    except ValueError:
        raise errors.invalid_token() from None
    if not isinstance(time, int):
        raise errors.invalid_token()
    return time
