"""Measures DynamoDB: `python -m benchmarks.dynamodb`, explained in README.md.

Rounds and the table are those of `benchmarks.sqs`; dynalite is measured too.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import dynamodb_scenarios, machine, wrk
from benchmarks.contenders import DYNAMODB_CONTENDERS, Contender
from benchmarks.dynamodb_scenarios import DynamoApi
from benchmarks.report import Report
from benchmarks.scenarios import Speed, Started
from benchmarks.sqs import FAILURES, MIB, SETTLE_SECONDS, Run, Settings, about, install, isolate, rotated, say, warm_up
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
    options = _parser().parse_args(arguments)
    settings = Settings(options.rounds, options.seconds, deep_messages=0, peers_deep_seconds=0.0)
    cache = Path(options.cache).expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    chosen = [contender for contender in DYNAMODB_CONTENDERS if contender.name in options.only]
    run = Run(settings, cache, rows={row.key: row for row in _rows()}, api=DynamoApi, server=Started)
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
    command = "python -m benchmarks.dynamodb " + " ".join(sys.argv[1:] if arguments is None else arguments)
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
    name = contender.name
    say(f"round {round_number + 1} of {run.settings.rounds}: {name}")
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dynamodb", description="Measures DynamoDB.")
    names = [contender.name for contender in DYNAMODB_CONTENDERS]
    parser.add_argument("--only", type=lambda text: text.split(","), default=names, help="some of " + ",".join(names))
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which medians are taken (3)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds a measurement (4)")
    parser.add_argument("--json", metavar="FILE", help="write everything measured to FILE as well")
    parser.add_argument("--cache", default="~/.cache/cloudlet-bench", help="where the peers are installed")
    return parser


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
