"""What all benchmarks against the peers share: contenders are installed, warmed up, measured in rounds, and reported.

Each contender is started afresh in every round, in turn. The table has the medians of the rounds, and Cloudlet's
divided by theirs. A contender that cannot be installed or started is reported, and the others are measured.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine, network, wrk
from benchmarks.api import CallFailed, JsonApi, SqsApi
from benchmarks.contenders import KEY, Contender, Installed, NotInstalled, before
from benchmarks.loop_client import LoopFailed
from benchmarks.process import ServerProcess
from benchmarks.report import Measurement, Report
from benchmarks.scenarios import Server, Speed, Started, Wrong
from benchmarks.signing import Key
from benchmarks.table import OURS, Row

START_SECONDS = 30.0
SETTLE_SECONDS = 1.0
MIB = 1024 * 1024

FAILURES = (CallFailed, LoopFailed, Wrong, wrk.WrkFailed, OSError)


@dataclass(frozen=True)
class Settings:
    """How long and how often."""

    rounds: int
    seconds: int


@dataclass
class Run:
    """Everything a run finds out."""

    settings: Settings
    cache: Path
    installed: dict[str, Installed] = field(default_factory=dict)
    verifies: dict[str, bool] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    ours_failed: bool = False
    api: Callable[[str, Key], JsonApi] = SqsApi
    server: Callable[..., Started] = Server

    def note(self, key: str, contender: str, value: float) -> None:
        """Adds one sample to a row."""
        self.rows[key].samples.setdefault(contender, []).append(value)

    def note_speed(self, key: str, contender: str, speed: Speed) -> None:
        """Adds one measurement to its rows."""
        self.note(f"{key}.per_second", contender, speed.per_second)
        self.note(f"{key}.p50_ms", contender, speed.p50_ms)
        self.note(f"{key}.p99_ms", contender, speed.p99_ms)
        self.note(f"{key}.cpu_us", contender, speed.server_cpu_us_per_message)
        self.measurements.append(Measurement(key, contender, speed))

    def fail(self, contender: str, what: str, reason: object, keys: Sequence[str] = ()) -> None:
        """Notes a failure; the rows with these keys show it in place of a figure."""
        problem = f"{contender}: {what}: {reason}"
        say(f"  FAILED {problem}")
        self.problems.append(problem)
        self.ours_failed |= contender == OURS
        for row in self.rows.values():
            if row.key.startswith(tuple(keys)) and keys:
                row.failed.add(contender)

    @contextmanager
    def started(self, contender: Contender) -> Iterator[tuple[Any, float]]:
        """The contender started afresh, and the seconds to its first answer; stopped afterwards."""
        installed = self.installed[contender.name]
        port = network.free_port()
        # Beside the cache and not in /tmp, which may be memory: Cloudlet is to be measured on a disk.
        data = Path(tempfile.mkdtemp(prefix=f"data-{contender.name}-", dir=self.cache))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= installed.environment(port)
        api = self.api(f"127.0.0.1:{port}", KEY)
        began = time.perf_counter()
        process = ServerProcess(installed.command(port, data), environment, self.cache / f"{contender.name}.log", data)
        try:
            api.wait_until_up(START_SECONDS, lambda: process.exit_code() is None)
            yield self.server(process, api, data), time.perf_counter() - began
        finally:
            process.stop()
            shutil.rmtree(data, ignore_errors=True)


def parser(
    service: str, contenders: Iterable[Contender], *, default: Sequence[str] | None = None, seconds: int = 4
) -> argparse.ArgumentParser:
    """The options that all have."""
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{service.lower()}", description=f"Measures {service} against the peers."
    )
    names = [contender.name for contender in contenders]
    made.add_argument(
        "--only", type=lambda text: text.split(","), default=list(default or names), help="some of " + ",".join(names)
    )
    made.add_argument(
        "--before", type=Path, metavar="TREE", help="measure Cloudlet as it is in another working tree as well"
    )
    made.add_argument("--rounds", type=int, default=3, help="rounds, of which medians are taken (3)")
    made.add_argument("--seconds", type=int, default=seconds, help=f"seconds a measurement ({seconds})")
    made.add_argument("--json", metavar="FILE", help="write everything measured to FILE as well")
    made.add_argument("--cache", default="~/.cache/cloudlet-bench", help="where the peers are installed")
    return made


def compare(
    command: str,
    options: argparse.Namespace,
    settings: Settings,
    contenders: Iterable[Contender],
    rows: Iterable[Row],
    measure: Callable[[Run, Contender, int], None],
    *,
    finally_measure: Callable[[Run, Contender], None] | None = None,
    api: Callable[[str, Key], Any] = SqsApi,
    server: Callable[..., Any] = Server,
) -> int:
    """Measure and print. Return 1 if Cloudlet failed anywhere, or was asked for and could not be measured.

    `measure` is called for each contender in each round, with its number; `finally_measure` once for each.
    """
    cache = Path(options.cache).expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    chosen = [contender for contender in contenders if contender.name in options.only]
    if options.before is not None:
        chosen += [before(contender, options.before) for contender in chosen if contender.name == OURS]
    run = Run(settings, cache, rows={row.key: row for row in rows}, api=api, server=server)
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
    for number in range(settings.rounds):
        for contender in rotated(chosen, number):
            if contender.name in run.installed:
                say(f"round {number + 1} of {settings.rounds}: {contender.name}")
                measure(run, contender, number)
    if finally_measure is not None:
        for contender in chosen:
            if contender.name in run.installed:
                finally_measure(run, contender)
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


Speeds = dict[str, tuple[str, str, Callable[[Any, int], Speed]]]
"""What is measured, by the key of its rows: its label, its unit in the plural, and what measures it for some time."""


def speed_rows(speeds: Speeds) -> Iterator[Row]:
    """The rows of `measure_speeds`."""
    yield Row("start_ms", "start to first answer, ms", "less")
    yield Row("idle_mib", "memory idle, MiB", "less")
    for key, (label, unit, _) in speeds.items():
        yield Row(f"{key}.per_second", f"{label}, {unit}/s", "more")
        yield Row(f"{key}.p50_ms", f"{label}, p50 ms", "less")
        yield Row(f"{key}.p99_ms", f"{label}, p99 ms", "less")
        yield Row(f"{key}.cpu_us", f"{label}, server CPU µs/{unit.removesuffix('s')}", "less")
    yield Row("peak_mib", "memory at its peak in all that, MiB", "less")


def measure_speeds(
    run: Run, contender: Contender, number: int, speeds: Speeds, then: Callable[[Any], None] | None = None
) -> None:
    """Measure a contender in a round: its start, its memory and all speeds; `then` gets the running server."""
    name = contender.name
    try:
        with run.started(contender) as (server, start_seconds):
            run.note("start_ms", name, start_seconds * 1e3)
            time.sleep(SETTLE_SECONDS)
            run.note("idle_mib", name, server.process.resident_bytes() / MIB)
            for key, (label, unit, speed_of) in speeds.items():
                try:
                    speed = speed_of(server, run.settings.seconds)
                except FAILURES as error:
                    run.fail(name, label, error, [f"{key}."])
                else:
                    run.note_speed(key, name, speed)
                    say(f"  {label}: {speed.per_second:,.0f} {unit}/s")
            run.note("peak_mib", name, server.process.peak_resident_bytes() / MIB)
            if then is not None:
                then(server)
    except FAILURES as error:
        run.fail(name, f"round {number + 1}", error, ["start_ms"])


def install(run: Run, contender: Contender) -> None:
    say(f"install {contender.name}")
    try:
        run.installed[contender.name] = contender.install(run.cache)
    except NotInstalled as error:
        run.fail(contender.name, "not installed", error)


def isolate(run: Run, contenders: Sequence[Contender]) -> None:
    """Cuts the run off from every network, registries too; where that is forbidden some cannot be measured."""
    try:
        network.enter_private_network()
    except OSError as error:
        for contender in contenders:
            if contender.name in run.installed and not contender.loopback_only:
                run.fail(contender.name, "not started", f"it listens on every interface, and {error}")
                del run.installed[contender.name]


def warm_up(run: Run, contenders: Sequence[Contender]) -> None:
    """Starts each once, unmeasured: files come into the page cache, and compiled models to where they are kept."""
    for contender in contenders:
        if contender.name not in run.installed:
            continue
        try:
            with run.started(contender) as (server, _):
                run.verifies[contender.name] = server.api.verifies_signatures()
        except FAILURES as error:
            log = (run.cache / f"{contender.name}.log").read_text(errors="replace").strip()
            run.fail(contender.name, "does not start", f"{error}\n{log[-2000:]}")
            del run.installed[contender.name]
        else:
            if contender.name == OURS and not run.verifies[OURS]:
                run.fail(OURS, "signatures", "a request with a wrong signature was not refused")


def rotated(contenders: Sequence[Contender], by: int) -> list[Contender]:
    by %= max(1, len(contenders))
    return [*contenders[by:], *contenders[:by]]


def about(run: Run, contender: Contender) -> dict[str, object]:
    installed = run.installed.get(contender.name)
    return {
        "version": installed.version if installed else None,
        "state": contender.state,
        "verifies_signatures": run.verifies.get(contender.name),
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
