"""Measures DynamoDB: `python -m benchmarks.dynamodb`, explained in README.md."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks import dynamodb_scenarios
from benchmarks.contenders import DYNAMODB_CONTENDERS, Contender
from benchmarks.dynamodb_scenarios import DynamoApi
from benchmarks.rounds import FAILURES, MIB, SETTLE_SECONDS, Run, Settings, compare, parser, say
from benchmarks.scenarios import Speed, Started
from benchmarks.table import Row

SPEEDS: dict[str, tuple[str, str, Callable[[Started, int], Speed]]] = {
    "get": ("GetItem", "requests", dynamodb_scenarios.get),
    "put": ("PutItem", "requests", dynamodb_scenarios.put),
    "update": ("UpdateItem", "requests", dynamodb_scenarios.update),
    "query": ("Query of 10 items", "requests", dynamodb_scenarios.query),
    "batch": ("BatchWriteItem of 25", "items", dynamodb_scenarios.batch),
    "transact": ("TransactWriteItems of 2 updates", "requests", dynamodb_scenarios.transact),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    options = parser("DynamoDB", DYNAMODB_CONTENDERS).parse_args(arguments)
    return compare(
        "python -m benchmarks.dynamodb " + " ".join(sys.argv[1:] if arguments is None else arguments),
        options,
        Settings(options.rounds, options.seconds),
        DYNAMODB_CONTENDERS,
        _rows(),
        _measure,
        api=DynamoApi,
        server=Started,
    )


def _measure(run: Run, contender: Contender, round_number: int) -> None:
    name = contender.name
    try:
        with run.started(contender) as (server, start_seconds):
            run.note("start_ms", name, start_seconds * 1e3)
            time.sleep(SETTLE_SECONDS)
            run.note("idle_mib", name, server.process.resident_bytes() / MIB)
            for key, (label, unit, speed_of) in SPEEDS.items():
                try:
                    speed = speed_of(server, run.settings.seconds)
                except FAILURES as error:
                    run.fail(name, label, error, [f"{key}."])
                else:
                    run.note_speed(key, name, speed)
                    say(f"  {label}: {speed.per_second:,.0f} {unit}/s")
            run.note("peak_mib", name, server.process.peak_resident_bytes() / MIB)
    except FAILURES as error:
        run.fail(name, f"round {round_number + 1}", error, ["start_ms"])


def _rows() -> Iterator[Row]:
    yield Row("start_ms", "start to first answer, ms", "less")
    yield Row("idle_mib", "memory idle, MiB", "less")
    for key, (label, unit, _) in SPEEDS.items():
        yield Row(f"{key}.per_second", f"{label}, {unit}/s", "more")
        yield Row(f"{key}.p50_ms", f"{label}, p50 ms", "less")
        yield Row(f"{key}.p99_ms", f"{label}, p99 ms", "less")
        yield Row(f"{key}.cpu_us", f"{label}, server CPU µs/{unit.removesuffix('s')}", "less")
    yield Row("peak_mib", "memory at its peak in all that, MiB", "less")


if __name__ == "__main__":
    sys.exit(main())
