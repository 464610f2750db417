"""Measures CloudWatch Logs: `python -m benchmarks.logs`. Contenders, rounds and the table are those of `rounds`.

Events are put by wrk, one or a hundred a request, and counted afterwards. Once, at the end, a million events as JSON
and a million lines of fields (of a peer what it takes in a few seconds) are searched for the one in ten thousand that
is different, and of Cloudlet asked by Logs Insights.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import puts
from benchmarks.api import JsonApi
from benchmarks.puts import Million
from benchmarks.rounds import FAILURES, Run, Speeds, say
from benchmarks.scenarios import Speed, Started, Wrong
from benchmarks.signing import Key
from benchmarks.table import OURS, Row

BATCH = 100
EVENTS, AT_ONCE = 1_000_000, 5_000
RARE = 10_000
"""One event in so many is what the searches look for."""
PEERS_SECONDS = 8.0
"""A peer has so long to take the events of a group."""
SEARCH_SECONDS = 30.0
"""A search that takes longer counts as failed."""
SEARCHES = 3
STREAM = "stream"

_random = random.Random(20)  # Fixed, so that every contender and every run gets the same.


class LogsApi(JsonApi):
    """CloudWatch Logs at `host`, called with `key`."""

    def __init__(self, host: str, key: Key) -> None:
        super().__init__(host, key, "logs", "Logs_20140328", "DescribeLogGroups", "application/x-amz-json-1.1")

    def create_stream(self, group: str) -> None:
        """Create a log group with a stream in it."""
        self.call("CreateLogGroup", {"logGroupName": group})
        self.call("CreateLogStream", {"logGroupName": group, "logStreamName": STREAM})

    def count(self, group: str) -> int:
        """How many events the stream of a log group has, read page by page."""
        asked: dict[str, object] = {"logGroupName": group, "logStreamName": STREAM, "startFromHead": True}
        found, token = 0, None
        while True:
            answer: dict[str, Any] = self.call("GetLogEvents", asked | ({"nextToken": token} if token else {}))
            found += len(answer["events"])
            # The end has been reached where the token does not change.
            if answer["nextForwardToken"] == token or not answer["events"]:
                return found
            token = answer["nextForwardToken"]


def put(server: Started[LogsApi], seconds: int, events: int) -> Speed:
    """PutLogEvents of some events of 100 bytes, by wrk; the figure is events."""
    group = f"put-{events}"
    server.api.create_stream(group)
    now = int(time.time() * 1000)
    listed = [{"timestamp": now, "message": f"{_random.getrandbits(400):0100x}"} for _ in range(events)]
    asked = {"logGroupName": group, "logStreamName": STREAM, "logEvents": listed}
    speed = puts.put(server, "PutLogEvents", asked, events, lambda: [server.api.count(group) / events], seconds)
    server.api.call("DeleteLogGroup", {"logGroupName": group})
    return speed


SPEEDS: Speeds = {
    "put": ("PutLogEvents", "events", lambda server, seconds: put(server, seconds, 1)),
    "put_many": (f"PutLogEvents of {BATCH}", "events", lambda server, seconds: put(server, seconds, BATCH)),
}


def _json(number: int) -> str:
    rare = number % RARE == 0
    return json.dumps(
        {
            "level": "ERROR" if rare else "INFO",
            "request": f"r-{number:08d}",
            "text": "timeout" if rare else "answered",
            "latency": 9500 if rare else number % 1000,
            "path": f"/orders/{number % 97}",
        }
    )


def _fields(number: int) -> str:
    latency = 9500 if number % RARE == 0 else number % 1000
    return f"10.0.{number % 256}.7 GET /orders/{number % 97} 200 {latency} r-{number:08d} shop-{number % 7}"


GROUPS: dict[str, Callable[[int], str]] = {"json": _json, "fields": _fields}


@dataclass(frozen=True)
class Search:
    """A search of FilterLogEvents in one of the groups."""

    label: str
    group: str
    pattern: str


SEARCHED = {
    "term": Search("a term", "json", "timeout"),
    "number": Search("a number in JSON", "json", "{ $.latency > 9000 }"),
    "field": Search("a number in fields", "fields", "[ip, method, path, status, latency > 9000, request, host]"),
}


@dataclass(frozen=True)
class Query:
    """A query of Logs Insights, of which the column `n` adds up to the events that match."""

    label: str
    group: str
    text: str
    one_in: int


QUERIES = {
    "filter": Query("filter", "json", "filter latency > 9000 | stats count(*) as n", RARE),
    "bins": Query(
        "parse, stats by bin",
        "fields",
        'parse @message "* * * * * *" as ip, method, path, status, took, rest '
        "| stats count(*) as n, avg(took) as mean by bin(5m)",
        1,
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    million = Million("events", "search", _measure_searches, _rows(), failing=("query_",))
    return puts.main(
        "logs", arguments, SPEEDS, million, api=LogsApi, default=("cloudlet", "ministack", "ministack-quiet")
    )


def _measure_searches(run: Run, name: str, server: Started[LogsApi]) -> None:
    start = int(time.time()) - 3600
    began = time.perf_counter()
    events = {}
    for group, text in GROUPS.items():
        server.api.create_stream(group)
        events[group] = puts.fill(server.api, name, "PutLogEvents", _requests(group, text, start), PEERS_SECONDS)
        run.note(f"{group}_events", name, events[group])
    run.note("fill_per_second", name, sum(events.values()) / (time.perf_counter() - began))
    run.note("disk", name, server.disk_bytes() / sum(events.values()))
    for key, search in SEARCHED.items():
        _measure(run, name, f"search_{key}", search.label, _searching(server.api, search, events[search.group]))
    for key, query in QUERIES.items() if name == OURS else ():
        _measure(run, name, f"query_{key}", query.label, _asking(server.api, query, start, events[query.group]))


def _measure(run: Run, name: str, key: str, label: str, seconds_of: Callable[[], float]) -> None:
    try:
        took = median(seconds_of() for _ in range(SEARCHES))
    except FAILURES as error:
        run.fail(name, label, error, [key])
    else:
        run.note(f"{key}_ms", name, took * 1e3)
        say(f"  {label}: {took * 1e3:,.0f} ms")


def _requests(group: str, text: Callable[[int], str], start: int) -> Iterator[tuple[int, dict[str, object]]]:
    """The requests that put a million events over an hour."""
    for first in range(0, EVENTS, AT_ONCE):
        events = [
            {"timestamp": start * 1000 + number * 3_500 // 1_000, "message": text(number)}
            for number in range(first, first + AT_ONCE)
        ]
        yield AT_ONCE, {"logGroupName": group, "logStreamName": STREAM, "logEvents": events}


def _searching(api: LogsApi, search: Search, events: int) -> Callable[[], float]:
    """What searches all events of a group, and returns the seconds that took."""

    def once() -> float:
        asked: dict[str, object] = {"logGroupName": search.group, "filterPattern": search.pattern}
        began = time.perf_counter()
        found, token = 0, None
        while True:
            answer: dict[str, Any] = api.call("FilterLogEvents", asked | ({"nextToken": token} if token else {}))
            found += len(answer["events"])
            token = answer.get("nextToken")
            took = time.perf_counter() - began
            if token is None:
                break
            if took > SEARCH_SECONDS:
                raise Wrong(f"not all of {events} events were searched within {SEARCH_SECONDS:.0f} s")
        if found != -(-events // RARE):
            raise Wrong(f"{found} of {events} events were found, and there should be {-(-events // RARE)}")
        return took

    return once


def _asking(api: LogsApi, query: Query, start: int, events: int) -> Callable[[], float]:
    """What asks about all events of a group by Logs Insights, and returns the seconds that took."""

    def once() -> float:
        asked = {"logGroupName": query.group, "startTime": start, "endTime": start + 3600, "queryString": query.text}
        began = time.perf_counter()
        id = api.call("StartQuery", asked)["queryId"]
        while True:
            answer: dict[str, Any] = api.call("GetQueryResults", {"queryId": id})
            took = time.perf_counter() - began
            if answer["status"] not in ("Scheduled", "Running"):
                break
            if took > SEARCH_SECONDS:
                raise Wrong(f"a query was not complete within {SEARCH_SECONDS:.0f} s")
            time.sleep(0.005)
        counted = sum(float(cell["value"]) for row in answer["results"] for cell in row if cell["field"] == "n")
        if answer["status"] != "Complete" or counted != -(-events // query.one_in):
            raise Wrong(f"{query.label}: {answer['status']}, {counted} of {events} events")
        return took

    return once


def _rows() -> Iterator[Row]:
    yield Row("json_events", "events in store, JSON", "")
    yield Row("fields_events", "events in store, fields", "")
    yield Row("fill_per_second", f"events put, {AT_ONCE:,} a request on one connection, /s", "more")
    yield Row("disk", "disk bytes/event", "")
    for key, search in SEARCHED.items():
        yield Row(f"search_{key}_ms", f"FilterLogEvents of all for {search.label}, ms", "less")
    for key, query in QUERIES.items():
        yield Row(f"query_{key}_ms", f"Logs Insights of all, {query.label}, ms", "less")


if __name__ == "__main__":
    sys.exit(main())
