"""Measures EventBridge: `python -m benchmarks.events`. Contenders, rounds and the table are those of `rounds`.

Events are put by wrk. To a bus without rules the figure is events; where a rule brings them to a queue it is
deliveries, by the time until the last one is in the queue. Then events are put one by one, each once the one before
was received.
"""

import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks import wrk
from benchmarks.api import JsonApi
from benchmarks.contenders import KEY, WITHOUT_FAUXQS, Contender
from benchmarks.deliveries import DELIVERED_SECONDS, deliver
from benchmarks.rounds import FAILURES, Run, Settings, Speeds, compare, measure_speeds, parser, say, speed_rows
from benchmarks.scenarios import CONNECTIONS, Meter, Server, Speed, Wrong
from benchmarks.signing import Key
from benchmarks.table import Row

BATCH = 10
SOURCE = "benchmark"
DETAIL = json.dumps({"order": "o-1", "text": "e" * 80})

_numbers = itertools.count(1)


class EventsApi(JsonApi):
    """EventBridge at `host`, called with `key`."""

    def __init__(self, host: str, key: Key) -> None:
        super().__init__(host, key, "events", "AWSEvents", "ListEventBuses", "application/x-amz-json-1.1")


def _entries(bus: str, events: int) -> dict[str, object]:
    entry = {"EventBusName": bus, "Source": SOURCE, "DetailType": "made", "Detail": DETAIL}
    return {"Entries": [entry] * events}


@contextmanager
def _bus_to_queue(server: Server) -> Iterator[tuple[EventsApi, str, str]]:
    """A bus with a rule that matches, and the URL of the queue that the rule brings events to; deleted afterwards."""
    events = EventsApi(server.api.host, KEY)
    bus = f"bus-{next(_numbers)}"
    events.call("CreateEventBus", {"Name": bus})
    with server.queue() as url:
        pattern = json.dumps({"source": [SOURCE], "detail": {"order": [{"prefix": "o-"}]}})
        events.call("PutRule", {"Name": "to-queue", "EventBusName": bus, "EventPattern": pattern})
        targets = [{"Id": "queue", "Arn": server.api.arn(url)}]
        events.call("PutTargets", {"Rule": "to-queue", "EventBusName": bus, "Targets": targets})
        yield events, bus, url
        events.call("RemoveTargets", {"Rule": "to-queue", "EventBusName": bus, "Ids": ["queue"]})
        events.call("DeleteRule", {"Name": "to-queue", "EventBusName": bus})
    events.call("DeleteEventBus", {"Name": bus})


def put(server: Server, events: int, seconds: int) -> Speed:
    """PutEvents of some events to a bus without rules, by wrk; the figure is events."""
    api = EventsApi(server.api.host, KEY)
    bus = f"bus-{next(_numbers)}"
    api.call("CreateEventBus", {"Name": bus})
    body = json.dumps(_entries(bus, events)).encode()
    answer: dict[str, Any] = api.call("PutEvents", _entries(bus, events))
    if answer["FailedEntryCount"] or len(answer["Entries"]) != events:
        raise Wrong(f"PutEvents did not take all: {answer}")
    meter = Meter(server.process)
    with meter:
        report = wrk.run(api.host, api.signer.headers("PutEvents", body), body, CONNECTIONS, seconds)
    api.call("DeleteEventBus", {"Name": bus})
    return meter.speed(report.requests * events, 0, report.seconds, report.p50_ms, report.p99_ms)


def to_queue(server: Server, events: int, seconds: int) -> Speed:
    """PutEvents of some events that a rule brings to a queue, by wrk; the figure is deliveries."""
    with _bus_to_queue(server) as (api, bus, url):
        body = json.dumps(_entries(bus, events)).encode()
        return deliver(server, api.signer.headers("PutEvents", body), body, events, [url], seconds)


def latencies(server: Server, seconds: float) -> list[float]:
    """The seconds from PutEvents until the event is received from the queue, one event at a time, in order."""
    took = []
    with _bus_to_queue(server) as (api, bus, url):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.perf_counter()
            api.call("PutEvents", _entries(bus, 1))
            handle = _receive(server, url)
            took.append(time.perf_counter() - began)
            server.api.call("DeleteMessage", {"QueueUrl": url, "ReceiptHandle": handle})
    return sorted(took)


def _receive(server: Server, url: str) -> str:
    end = time.monotonic() + DELIVERED_SECONDS
    while time.monotonic() < end:
        answer: dict[str, Any] = server.api.call("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 2})
        if messages := answer.get("Messages"):
            return str(messages[0]["ReceiptHandle"])
    raise Wrong(f"an event was not received within {DELIVERED_SECONDS:.0f} s")


SPEEDS: Speeds = {
    "put": ("PutEvents", "events", lambda server, seconds: put(server, 1, seconds)),
    "put_many": (f"PutEvents of {BATCH}", "events", lambda server, seconds: put(server, BATCH, seconds)),
    "queue": ("PutEvents to a queue", "messages", lambda server, seconds: to_queue(server, 1, seconds)),
    "queue_many": (
        f"PutEvents of {BATCH} to a queue",
        "messages",
        lambda server, seconds: to_queue(server, BATCH, seconds),
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    options = parser("events", WITHOUT_FAUXQS, default=("cloudlet", "ministack", "ministack-quiet")).parse_args(
        arguments
    )
    return compare(
        "python -m benchmarks.events " + " ".join(sys.argv[1:] if arguments is None else arguments),
        options,
        Settings(options.rounds, options.seconds),
        WITHOUT_FAUXQS,
        _rows(),
        _measure,
    )


def _measure(run: Run, contender: Contender, number: int) -> None:
    def then(server: Server) -> None:
        try:
            took = latencies(server, run.settings.seconds)
        except FAILURES as error:
            run.fail(contender.name, "until it is received", error, ["received."])
            return
        for share in (50, 99):
            run.note(f"received.p{share}_ms", contender.name, took[share * (len(took) - 1) // 100] * 1e3)
        say(f"  until it is received: p50 {took[len(took) // 2] * 1e3:.1f} ms")

    measure_speeds(run, contender, number, SPEEDS, then)


def _rows() -> Iterator[Row]:
    yield from speed_rows(SPEEDS)
    yield Row("received.p50_ms", "PutEvents until it is received from the queue, p50 ms", "less")
    yield Row("received.p99_ms", "PutEvents until it is received from the queue, p99 ms", "less")


if __name__ == "__main__":
    sys.exit(main())
