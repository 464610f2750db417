"""What the benchmarks of CloudWatch and of its Logs share: something is put, in speed by wrk, and once a million of it.

A million are put one request after the other, on the server that is asked for them then; a peer has some seconds.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import wrk
from benchmarks.api import JsonApi
from benchmarks.contenders import WITHOUT_FAUXQS, Contender
from benchmarks.rounds import FAILURES, MIB, Run, Settings, Speeds, compare, measure_speeds, parser, say, speed_rows
from benchmarks.scenarios import CONNECTIONS, Meter, Speed, Started, Wrong
from benchmarks.signing import Key
from benchmarks.table import OURS, Row

_OUR_SECONDS = 600.0


class Million(NamedTuple):
    """What is measured once, at the end."""

    things: str
    """What there are a million of: "events"."""
    asking: str
    """How they are asked for: "search". The keys of rows that show a failure begin with it, or as in `failing`."""
    measure: Callable[[Run, str, Started[Any]], None]
    rows: Iterable[Row]
    failing: Sequence[str] = ()


def main(
    service: str,
    arguments: Sequence[str] | None,
    speeds: Speeds,
    million: Million,
    *,
    api: Callable[[str, Key], JsonApi],
    default: Sequence[str] | None = None,
) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    made = parser(service, WITHOUT_FAUXQS, default=default)
    made.add_argument(f"--no-{million.asking}", action="store_true", help=f"leave the million {million.things} out")
    options = made.parse_args(arguments)
    left_out = getattr(options, f"no_{million.asking}")
    return compare(
        f"{made.prog} " + " ".join(sys.argv[1:] if arguments is None else arguments),
        options,
        Settings(options.rounds, options.seconds),
        WITHOUT_FAUXQS,
        _rows(speeds, million),
        lambda run, contender, number: measure_speeds(run, contender, number, speeds),
        finally_measure=None if left_out else lambda run, contender: _measure(run, contender, million),
        api=api,
        server=Started,
    )


def put(
    server: Started[Any],
    operation: str,
    parameters: Mapping[str, object],
    things: int,
    seen: Callable[[], Iterable[float]],
    seconds: int,
) -> Speed:
    """Send by wrk a request that puts some things; the figure is these.

    `seen` returns, for one or several of them, from how many requests there is something. Wrong where that is too few
    or too many.
    """
    body = json.dumps(parameters).encode()
    meter = Meter(server.process)
    with meter:
        headers = server.api.signer.headers(operation, body)
        report = wrk.run(server.api.host, headers, body, CONNECTIONS, seconds)
    for requests in seen():
        # What wrk had under way when its time was over is there too, or not.
        if not report.requests <= requests <= report.requests + CONNECTIONS:
            raise Wrong(f"{requests:g} requests are to be seen of {report.requests}")
    return meter.speed(report.requests * things, 0, report.seconds, report.p50_ms, report.p99_ms)


def fill(
    api: JsonApi, contender: str, operation: str, requests: Iterable[tuple[int, Mapping[str, object]]], seconds: float
) -> int:
    """Send requests that come with how much each puts, of a peer as many as go in within so many seconds.

    Return how much was put.
    """
    end = time.monotonic() + (_OUR_SECONDS if contender == OURS else seconds)
    done = 0
    for things, parameters in requests:
        if time.monotonic() > end:
            break
        api.call(operation, parameters)
        done += things
    return done


def _measure(run: Run, contender: Contender, million: Million) -> None:
    name, what = contender.name, f"a million {million.things}"
    say(f"{what}: {name}")
    try:
        with run.started(contender) as (server, _):
            million.measure(run, name, server)
            run.note(f"{million.asking}_peak_mib", name, server.process.peak_resident_bytes() / MIB)
    except FAILURES as error:
        run.fail(name, what, error, [million.asking, *million.failing])


def _rows(speeds: Speeds, million: Million) -> Iterator[Row]:
    yield from speed_rows(speeds)
    yield from million.rows
    label = f"memory at its peak with these {million.things}, MiB"
    yield Row(f"{million.asking}_peak_mib", label, "less")
