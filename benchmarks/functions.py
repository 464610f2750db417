"""Measures Lambda and API Gateway: `python -m benchmarks.functions`, by the contenders and rounds of `rounds`.

A function in Python that only answers is invoked, and asked through an HTTP API, by wrk over one connection and over
sixteen. Then functions that were never run are invoked one after the other. Once, at the end, a thousand functions are
deployed, and ten thousand WebSocket connections are opened and rest.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks import wrk
from benchmarks.contenders import KEY, WITHOUT_FAUXQS, Contender
from benchmarks.functions_api import NODE, PYTHON, FunctionsApi, Runtime
from benchmarks.resting import allow_connections, rest
from benchmarks.rounds import (
    FAILURES,
    MIB,
    SETTLE_SECONDS,
    Run,
    Settings,
    Speeds,
    compare,
    measure_speeds,
    parser,
    say,
    speed_rows,
)
from benchmarks.scenarios import CONNECTIONS, Meter, Server, Speed
from benchmarks.table import Row

COLD_STARTS = 20
FUNCTIONS = 1_000
WEBSOCKETS = 10_000
STAGE = "live"
WARM = "warm"
WARM_UP_SECONDS = 1
RUNTIMES = {"python": ("Python", PYTHON), "node": ("Node.js", NODE)}


def invoke(server: Server, connections: int, seconds: int) -> Speed:
    """Invoke of a function that runs already, by wrk."""
    api = FunctionsApi(server.api.host, KEY)
    _warm_function(api)
    return _replay(server, api.invoke_request(WARM), connections, seconds)


def http(server: Server, connections: int, seconds: int) -> Speed:
    """A request to an HTTP API that a function answers which runs already, by wrk."""
    api = FunctionsApi(server.api.host, KEY)
    id = api.create_http_api(_warm_function(api))
    request = f"GET /orders/7 HTTP/1.1\r\nHost: {api.api_host(id)}\r\n\r\n".encode()
    return _replay(server, request, connections, seconds)


def cold_start(server: Server, runtime: Runtime) -> float:
    """The median of the seconds that the first answers of functions take."""
    api = FunctionsApi(server.api.host, KEY)
    names = [f"cold-{runtime.name.replace('.', '-')}-{number}" for number in range(COLD_STARTS)]
    for name in names:
        api.create_function(name, runtime)
    for name in names:
        api.wait_until_ready(name)
    return median(api.invoke(name) for name in names)


def _warm_function(api: FunctionsApi) -> str:
    arn = api.create_function(WARM, PYTHON)
    api.wait_until_ready(WARM)
    api.invoke(WARM)
    return arn


def _replay(server: Server, request: bytes, connections: int, seconds: int) -> Speed:
    wrk.run_many(server.api.host, [request], connections, WARM_UP_SECONDS)
    meter = Meter(server.process)
    with meter:
        report = wrk.run_many(server.api.host, [request], connections, seconds)
    api = FunctionsApi(server.api.host, KEY)
    api.invoke(WARM)
    api.functions.send("DELETE", f"/2015-03-31/functions/{WARM}")
    return meter.speed(report.requests, 0, report.seconds, report.p50_ms, report.p99_ms)


SPEEDS: Speeds = {
    "invoke": ("Invoke, 1 connection", "requests", lambda server, seconds: invoke(server, 1, seconds)),
    "invoke_many": (
        f"Invoke, {CONNECTIONS} connections",
        "requests",
        lambda server, seconds: invoke(server, CONNECTIONS, seconds),
    ),
    "http": ("HTTP API to a function, 1 connection", "requests", lambda server, seconds: http(server, 1, seconds)),
    "http_many": (
        f"HTTP API to a function, {CONNECTIONS} connections",
        "requests",
        lambda server, seconds: http(server, CONNECTIONS, seconds),
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    made = parser("functions", WITHOUT_FAUXQS, default=("cloudlet", "ministack", "ministack-quiet"))
    made.add_argument("--no-many", action="store_true", help="leave the thousand functions and WebSockets out")
    options = made.parse_args(arguments)
    allow_connections()
    return compare(
        "python -m benchmarks.functions " + " ".join(sys.argv[1:] if arguments is None else arguments),
        options,
        Settings(options.rounds, options.seconds),
        WITHOUT_FAUXQS,
        _rows(),
        _measure,
        finally_measure=None if options.no_many else _measure_many,
    )


def _measure(run: Run, contender: Contender, number: int) -> None:
    def then(server: Server) -> None:
        for key, (label, runtime) in RUNTIMES.items():
            try:
                took = cold_start(server, runtime)
            except FAILURES as error:
                run.fail(contender.name, f"cold start, {label}", error, [f"cold_{key}"])
            else:
                run.note(f"cold_{key}_ms", contender.name, took * 1e3)
                say(f"  cold start, {label}: p50 {took * 1e3:.1f} ms")

    measure_speeds(run, contender, number, SPEEDS, then)


def _measure_many(run: Run, contender: Contender) -> None:
    say(f"a thousand functions, ten thousand connections: {contender.name}")
    for what, key, measure in (
        ("a thousand functions", "functions_", _deploy),
        ("ten thousand connections", "websockets_", _rest),
    ):
        try:
            with run.started(contender) as (server, _):
                time.sleep(SETTLE_SECONDS)
                measure(run, contender.name, server)
        except FAILURES as error:
            run.fail(contender.name, what, error, [key])


def _deploy(run: Run, name: str, server: Server) -> None:
    api = FunctionsApi(server.api.host, KEY)
    before = server.process.resident_bytes()
    names = [f"function-{number}" for number in range(FUNCTIONS)]
    began = time.perf_counter()
    for function in names:
        api.create_function(function, PYTHON)
    for function in names:
        api.wait_until_ready(function)
    run.note("functions_seconds", name, time.perf_counter() - began)
    time.sleep(SETTLE_SECONDS)
    run.note("functions_mib", name, (server.process.resident_bytes() - before) / MIB)
    run.note("functions_last_ms", name, api.invoke(names[-1]) * 1e3)


def _rest(run: Run, name: str, server: Server) -> None:
    api = FunctionsApi(server.api.host, KEY)
    id = api.create_websocket_api(STAGE)
    before = server.process.resident_bytes()
    rested = rest(api.host, api.api_host(id), f"/{STAGE}", WEBSOCKETS, server.process.resident_bytes)
    run.note("websockets_seconds", name, rested.seconds)
    run.note("websockets_mib", name, (rested.figure - before) / MIB)


def _rows() -> Iterator[Row]:
    yield from speed_rows(SPEEDS)
    for key, (label, _) in RUNTIMES.items():
        yield Row(f"cold_{key}_ms", f"cold start, {label}, p50 ms", "less")
    yield Row("functions_seconds", f"{FUNCTIONS:,} functions deployed, s", "less")
    yield Row("functions_mib", f"{FUNCTIONS:,} functions, memory grown by MiB", "less")
    yield Row("functions_last_ms", f"{FUNCTIONS:,} functions, first answer of one, ms", "less")
    yield Row("websockets_seconds", f"{WEBSOCKETS:,} WebSocket connections opened, s", "less")
    yield Row("websockets_mib", f"{WEBSOCKETS:,} resting WebSocket connections, memory grown by MiB", "less")


if __name__ == "__main__":
    sys.exit(main())
