"""Measures SNS: `python -m benchmarks.sns`, explained in README.md."""

import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks import sns_scenarios
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.rounds import FAILURES, Run, Settings, compare, parser, say
from benchmarks.scenarios import Server, Speed
from benchmarks.table import Row

DEFAULT = ("cloudlet", "ministack", "ministack-quiet", "fauxqs", "fauxqs-quiet")
MANY = 100

SPEEDS: dict[str, tuple[str, Callable[[Server, int], Speed]]] = {
    "publish": ("Publish to one queue", lambda server, seconds: sns_scenarios.publish(server, 1, seconds)),
    "publish_batch": (
        "PublishBatch of 10 to one queue",
        lambda server, seconds: sns_scenarios.publish_batch(server, 1, seconds),
    ),
    "fanout": (f"Publish to {MANY} queues", lambda server, seconds: sns_scenarios.publish(server, MANY, seconds)),
}
LATENCIES = {
    "http": ("HTTP endpoint", False),
    "http_beside_dead": ("HTTP endpoint beside one that never answers", True),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    options = parser("SNS", CONTENDERS, default=DEFAULT).parse_args(arguments)
    return compare(
        "python -m benchmarks.sns " + " ".join(sys.argv[1:] if arguments is None else arguments),
        options,
        Settings(options.rounds, options.seconds),
        CONTENDERS,
        _rows(),
        _measure,
    )


def _measure(run: Run, contender: Contender, round_number: int) -> None:
    name, seconds = contender.name, run.settings.seconds
    try:
        with run.started(contender) as (server, _):
            for key, (label, speed_of) in SPEEDS.items():
                try:
                    speed = speed_of(server, seconds)
                except FAILURES as error:
                    run.fail(name, label, error, [f"{key}."])
                else:
                    run.note_speed(key, name, speed)
                    say(f"  {label}: {speed.per_second:,.0f} deliveries/s")
            for key, (label, beside_a_dead_one) in LATENCIES.items():
                try:
                    took = sns_scenarios.http_latency(server, seconds, beside_a_dead_one=beside_a_dead_one)
                except FAILURES as error:
                    run.fail(name, label, error, [f"{key}."])
                    continue
                for share in (50, 99):
                    run.note(f"{key}.p{share}_ms", name, took[share * (len(took) - 1) // 100] * 1e3)
                say(f"  {label}: p99 {took[99 * (len(took) - 1) // 100] * 1e3:.1f} ms")
    except FAILURES as error:
        run.fail(name, f"round {round_number + 1}", error, ["publish."])


def _rows() -> Iterator[Row]:
    for key, (label, _) in SPEEDS.items():
        yield Row(f"{key}.per_second", f"{label}, deliveries/s", "more")
        yield Row(f"{key}.p50_ms", f"{label}, p50 ms of the request", "less")
        yield Row(f"{key}.p99_ms", f"{label}, p99 ms of the request", "less")
        yield Row(f"{key}.cpu_us", f"{label}, server CPU µs/delivery", "less")
    for key, (label, _) in LATENCIES.items():
        yield Row(f"{key}.p50_ms", f"{label}, p50 ms until it comes", "less")
        yield Row(f"{key}.p99_ms", f"{label}, p99 ms until it comes", "less")


if __name__ == "__main__":
    sys.exit(main())
