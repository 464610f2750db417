"""Measures SNS: `python -m benchmarks.sns`, explained in README.md.

Contenders, rounds and the table are those of `benchmarks.sqs`.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import machine, sns_scenarios, wrk
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.report import Report
from benchmarks.scenarios import Server, Speed
from benchmarks.sqs import FAILURES, Run, Settings, about, install, isolate, rotated, say, warm_up
from benchmarks.table import Row

DEFAULT = ("cloudlet", "ministack", "fauxqs")
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
    options = _parser().parse_args(arguments)
    settings = Settings(options.rounds, options.seconds, deep_messages=0, peers_deep_seconds=0.0)
    cache = Path(options.cache).expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    chosen = [contender for contender in CONTENDERS if contender.name in options.only]
    run = Run(settings, cache, rows={row.key: row for row in _rows()})
    began = time.monotonic()
    # Ended from outside, the servers are to be stopped as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        wrk_version = wrk.ensure_installed()
    except wrk.WrkFailed as error:
        print(error, file=sys.stderr)
        return 2
    for contender in chosen:
        install(run, contender)
    isolate(run, chosen)
    described = machine.describe(cache)
    warm_up(run, chosen)
    for round_number in range(settings.rounds):
        for contender in rotated(chosen, round_number):
            _measure(run, contender, round_number)
    command = "python -m benchmarks.sns " + " ".join(sys.argv[1:] if arguments is None else arguments)
    report = Report(
        command=command.strip(),
        seconds=round(time.monotonic() - began),
        machine=described | {"wrk": wrk_version},
        settings=asdict(settings),
        contenders={contender.name: about(run, contender) for contender in chosen},
        rows=[row for row in run.rows.values() if row.samples or row.failed],
        measurements=run.measurements,
        problems=run.problems,
        noted_doubts=run.doubts,
    )
    print(report.text())
    if options.json:
        Path(options.json).write_text(report.json())
    return 1 if run.ours_failed else 0


def _measure(run: Run, contender: Contender, round_number: int) -> None:
    if contender.name not in run.installed:
        return
    name, seconds = contender.name, run.settings.seconds
    say(f"round {round_number + 1} of {run.settings.rounds}: {name}")
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sns", description="Measures SNS against the peers.")
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=list(DEFAULT), help="some of " + ",".join(names)
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which medians are taken (3)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds a measurement (4)")
    parser.add_argument("--json", metavar="FILE", help="write everything measured to FILE as well")
    parser.add_argument("--cache", default="~/.cache/cloudlet-bench", help="where the peers are installed")
    return parser


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
