"""Measures CloudWatch: `python -m benchmarks.cloudwatch`. Contenders, rounds and the table are those of `rounds`.

Values are put by wrk, one or twenty metrics a request, and counted afterwards. Once, at the end, a million points (100
metrics of 10,000 minutes; of a peer what it takes in a few seconds) are put and asked for: averages by the hour, of all
metrics in one GetMetricData. Before that it is quiet for a minute, so that who puts data in order has done so.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks import wrk
from benchmarks.api import JsonApi
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.rounds import (
    FAILURES,
    MIB,
    Run,
    Settings,
    Speeds,
    compare,
    measure_speeds,
    parser,
    say,
    speed_rows,
)
from benchmarks.scenarios import CONNECTIONS, Meter, Speed, Started, Wrong
from benchmarks.signing import Key
from benchmarks.table import OURS, Row

MANY = 20
METRICS, MINUTES, AT_ONCE = 100, 10_000, 1000
PEERS_SECONDS = 15.0
QUIET_SECONDS = 75.0
QUERIES = 11
_CHOSEN = tuple(contender for contender in CONTENDERS if contender.name != "fauxqs")


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
    body = json.dumps({"Namespace": namespace, "MetricData": data}).encode()
    before = server.api.count(namespace, "m0")
    meter = Meter(server.process)
    with meter:
        headers = server.api.signer.headers("PutMetricData", body)
        report = wrk.run(server.api.host, headers, body, CONNECTIONS, seconds)
    for metric in ("m0", f"m{metrics - 1}"):
        counted = server.api.count(namespace, metric) - before
        if not report.requests <= counted <= report.requests + CONNECTIONS:
            raise Wrong(f"{counted} values after {report.requests} requests")
    return meter.speed(report.requests * metrics, 0, report.seconds, report.p50_ms, report.p99_ms)


SPEEDS: Speeds = {
    "put": ("PutMetricData", "values", lambda server, seconds: put(server, seconds, 1)),
    "put_many": (f"PutMetricData of {MANY} metrics", "values", lambda server, seconds: put(server, seconds, MANY)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    made = parser("CloudWatch", _CHOSEN)
    made.add_argument("--no-query", action="store_true", help="leave the million points out")
    options = made.parse_args(arguments)
    return compare(
        "python -m benchmarks.cloudwatch " + " ".join(sys.argv[1:] if arguments is None else arguments),
        options,
        Settings(options.rounds, options.seconds),
        _CHOSEN,
        _rows(),
        lambda run, contender, number: measure_speeds(run, contender, number, SPEEDS),
        finally_measure=None if options.no_query else _measure_query,
        api=CloudWatchApi,
        server=Started,
    )


def _measure_query(run: Run, contender: Contender) -> None:
    name = contender.name
    say(f"a million points: {name}")
    try:
        with run.started(contender) as (server, _):
            hour = int(time.time()) // 3600 * 3600
            start = hour - (MINUTES // 60 + 1) * 3600
            began = time.perf_counter()
            points = _fill(server.api, start, None if name == OURS else PEERS_SECONDS)
            run.note("points", name, points)
            run.note("fill_per_second", name, points / (time.perf_counter() - began))
            time.sleep(QUIET_SECONDS)
            took = [_query(server.api, start, hour, points) for _ in range(QUERIES)]
            run.note("query_ms", name, median(took) * 1e3)
            run.note("query_worst_ms", name, max(took) * 1e3)
            run.note("query_peak_mib", name, server.process.peak_resident_bytes() / MIB)
            say(f"  {points:,} points, averages by the hour in {median(took) * 1e3:.0f} ms")
    except FAILURES as error:
        run.fail(name, "a million points", error, ["query"])


def _fill(api: CloudWatchApi, start: int, seconds: float | None) -> int:
    """Put a million points, or as many as go in; return how many."""
    end = time.monotonic() + (seconds or 600.0)
    points = 0
    for first in range(0, MINUTES, AT_ONCE):
        for metric in range(METRICS):
            if time.monotonic() > end:
                return points
            data = [
                {"MetricName": f"m{metric}", "Value": float(minute % 97), "Timestamp": start + minute * 60}
                for minute in range(first, first + AT_ONCE)
            ]
            api.call("PutMetricData", {"Namespace": "Deep", "MetricData": data})
            points += AT_ONCE
    return points


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


def _rows() -> Iterator[Row]:
    yield from speed_rows(SPEEDS)
    yield Row("points", "points in store", "")
    yield Row("fill_per_second", "points put, 1,000 a request, /s", "more")
    yield Row("query_ms", "GetMetricData of all by the hour, ms", "less")
    yield Row("query_worst_ms", "GetMetricData of all by the hour, worst ms", "less")
    yield Row("query_peak_mib", "memory at its peak with these points, MiB", "less")


if __name__ == "__main__":
    sys.exit(main())
