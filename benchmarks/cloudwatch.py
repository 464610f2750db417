"""Measures CloudWatch: `python -m benchmarks.cloudwatch`. Contenders, rounds and the table are those of `rounds`.

Values are put by wrk, one or twenty metrics a request, and counted afterwards. Once, at the end, a million points (100
metrics of 10,000 minutes; of a peer what it takes in a few seconds) are put and asked for: averages by the hour, of all
metrics in one GetMetricData. Before that it is quiet for a minute, so that who puts data in order has done so.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks import puts
from benchmarks.api import JsonApi
from benchmarks.puts import Million
from benchmarks.rounds import Run, Speeds, say
from benchmarks.scenarios import Speed, Started, Wrong
from benchmarks.signing import Key
from benchmarks.table import Row

MANY = 20
METRICS, MINUTES, AT_ONCE = 100, 10_000, 1000
PEERS_SECONDS = 15.0
QUIET_SECONDS = 75.0
QUERIES = 11


class CloudWatchApi(JsonApi):
    """CloudWatch at `host`, called with `key`."""

    def __init__(self, host: str, key: Key) -> None:
        super().__init__(host, key, "monitoring", "GraniteServiceVersion20100801", "ListMetrics")

    def count(self, namespace: str, metric: str) -> float:
        """How many values a metric has had in the last hour."""
        now = time.time()
        answer = self.call(
            "GetMetricStatistics",
            {
                "Namespace": namespace,
                "MetricName": metric,
                "StartTime": int(now - 3600),
                "EndTime": int(now + 120),
                "Period": 60,
                "Statistics": ["SampleCount"],
            },
        )
        datapoints = answer["Datapoints"]
        assert isinstance(datapoints, list)
        return sum(point["SampleCount"] for point in datapoints)


def put(server: Started[CloudWatchApi], seconds: int, metrics: int) -> Speed:
    """PutMetricData of one value of some metrics, by wrk; the figure is values."""
    namespace = f"Put{metrics}"
    data = [{"MetricName": f"m{number}", "Value": 7.5, "Unit": "Count"} for number in range(metrics)]

    def seen() -> Iterator[float]:
        for metric in ("m0", f"m{metrics - 1}"):
            yield server.api.count(namespace, metric)

    return puts.put(server, "PutMetricData", {"Namespace": namespace, "MetricData": data}, metrics, seen, seconds)


SPEEDS: Speeds = {
    "put": ("PutMetricData", "values", lambda server, seconds: put(server, seconds, 1)),
    "put_many": (f"PutMetricData of {MANY} metrics", "values", lambda server, seconds: put(server, seconds, MANY)),
}

ROWS = (
    Row("points", "points in store", ""),
    Row("fill_per_second", "points put, 1,000 a request, /s", "more"),
    Row("query_ms", "GetMetricData of all by the hour, ms", "less"),
    Row("query_worst_ms", "GetMetricData of all by the hour, worst ms", "less"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    million = Million("points", "query", _measure_query, ROWS)
    return puts.main("CloudWatch", arguments, SPEEDS, million, api=CloudWatchApi)


def _measure_query(run: Run, name: str, server: Started[CloudWatchApi]) -> None:
    hour = int(time.time()) // 3600 * 3600
    start = hour - (MINUTES // 60 + 1) * 3600
    began = time.perf_counter()
    points = puts.fill(server.api, name, "PutMetricData", _requests(start), PEERS_SECONDS)
    run.note("points", name, points)
    run.note("fill_per_second", name, points / (time.perf_counter() - began))
    time.sleep(QUIET_SECONDS)
    took = [_query(server.api, start, hour, points) for _ in range(QUERIES)]
    run.note("query_ms", name, median(took) * 1e3)
    run.note("query_worst_ms", name, max(took) * 1e3)
    say(f"  {points:,} points, averages by the hour in {median(took) * 1e3:.0f} ms")


def _requests(start: int) -> Iterator[tuple[int, dict[str, object]]]:
    """The requests that put a million points."""
    for first in range(0, MINUTES, AT_ONCE):
        for metric in range(METRICS):
            data = [
                {"MetricName": f"m{metric}", "Value": float(minute % 97), "Timestamp": start + minute * 60}
                for minute in range(first, first + AT_ONCE)
            ]
            yield AT_ONCE, {"Namespace": "Deep", "MetricData": data}


def _query(api: CloudWatchApi, start: int, end: int, points: int) -> float:
    """Ask for the averages of all metrics by the hour; return the seconds that took."""
    queries = [
        {
            "Id": f"m{metric}",
            "MetricStat": {
                "Metric": {"Namespace": "Deep", "MetricName": f"m{metric}"},
                "Period": 3600,
                "Stat": "Average",
            },
        }
        for metric in range(METRICS)
    ]
    began = time.perf_counter()
    answer = api.call("GetMetricData", {"MetricDataQueries": queries, "StartTime": start, "EndTime": end})
    took = time.perf_counter() - began
    results = answer["MetricDataResults"]
    assert isinstance(results, list)
    found = sum(len(result["Values"]) for result in results)
    if found < points // 61:
        raise Wrong(f"{found} averages by the hour of {points} points by the minute")
    return took


if __name__ == "__main__":
    sys.exit(main())
