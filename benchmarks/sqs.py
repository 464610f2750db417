"""Measures SQS: `python -m benchmarks.sqs`, explained in README.md.

Installs the peers, starts each contender afresh in every round, in turn, and prints the medians of the rounds
beside Cloudlet's divided by theirs. A contender that cannot be installed or started is reported, and the
others are measured.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine, network, scenarios, wrk
from benchmarks.api import CallFailed, JsonApi, SqsApi
from benchmarks.contenders import CONTENDERS, KEY, Contender, Installed, NotInstalled
from benchmarks.loop_client import LoopFailed
from benchmarks.process import ServerProcess
from benchmarks.report import Measurement, Report
from benchmarks.scenarios import Server, Speed, Started, Wrong
from benchmarks.signing import Key
from benchmarks.table import OURS, Row

START_SECONDS = 30.0
SETTLE_SECONDS = 1.0
MIB = 1024 * 1024
# Enough for a million at 17,000 a second; a Cloudlet slower than that is measured with what went in.
OUR_DEEP_SECONDS = 60.0
# With fewer messages than in the queue that consumers start with there is nothing deep to measure.
LEAST_DEEP = scenarios.LAP_MESSAGES

FAILURES = (CallFailed, LoopFailed, Wrong, wrk.WrkFailed, OSError)

SPEEDS: dict[str, tuple[str, Callable[[Server, str, int], Speed]]] = {
    "send": ("SendMessage", scenarios.send),
    "send_batch": ("SendMessageBatch of 10", scenarios.send_batch),
    # Three requests a cycle, which three seconds measure well enough.
    "pass": ("send + receive 1 + delete", lambda server, url, s: scenarios.pass_through(server, url, min(s, 3))),
    "consume_1": ("receive 1 + delete", lambda server, url, s: scenarios.receive_and_delete(server, url, 1, s)),
    "consume_10": ("receive 10 + delete", lambda server, url, s: scenarios.receive_and_delete(server, url, 10, s)),
}
DEEP_SPEEDS: dict[str, Callable[[Server, str, int, int], Speed]] = {
    "send": lambda server, url, depth, s: scenarios.send(server, url, s),
    "consume_1": lambda server, url, depth, s: scenarios.receive_and_delete_deep(server, url, 1, depth, s),
    "consume_10": lambda server, url, depth, s: scenarios.receive_and_delete_deep(server, url, 10, depth, s),
}


@dataclass(frozen=True)
class Settings:
    """How long and how often."""

    rounds: int
    seconds: int
    deep_messages: int
    peers_deep_seconds: float

    @property
    def deep_seconds(self) -> int:
        """Seconds of a measurement on the deep queue: there are many, and it tells orders of magnitude."""
        return min(self.seconds, 3)


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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    options = _parser().parse_args(arguments)
    settings = Settings(
        rounds=options.rounds,
        seconds=2 if options.quick else options.seconds,
        deep_messages=0 if options.no_deep else 100_000 if options.quick else options.deep,
        peers_deep_seconds=5.0 if options.quick else options.peers_deep_seconds,
    )
    cache = Path(options.cache).expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    chosen = [contender for contender in CONTENDERS if contender.name in options.only]
    run = Run(settings, cache, rows={row.key: row for row in _rows()})
    began = time.monotonic()
    # Ended from outside, the servers are to be stopped as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    SqsApi("127.0.0.1:1", KEY).signer.check()
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
    if settings.deep_messages:
        for contender in chosen:
            _measure_deep(run, contender)

    command = "python -m benchmarks.sqs " + " ".join(sys.argv[1:] if arguments is None else arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sqs", description="Measures SQS against the peers.")
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument("--quick", action="store_true", help="2 s a measurement and a small deep queue: a glance")
    parser.add_argument("--only", type=lambda text: text.split(","), default=names, help="some of " + ",".join(names))
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which medians are taken (3)")
    parser.add_argument("--seconds", type=int, default=5, help="seconds a measurement (5)")
    parser.add_argument("--deep", type=int, default=1_000_000, help="messages in the deep queue (1,000,000)")
    parser.add_argument(
        "--peers-deep-seconds", type=float, default=10.0, help="seconds to fill a peer's deep queue (10)"
    )
    parser.add_argument("--no-deep", action="store_true", help="leave the deep queue out")
    parser.add_argument("--json", metavar="FILE", help="write everything measured to FILE as well")
    parser.add_argument("--cache", default="~/.cache/cloudlet-bench", help="where the peers are installed")
    return parser


def _rows() -> Iterator[Row]:
    yield Row("start_ms", "start to first answer, ms", "less")
    yield Row("idle_mib", "memory idle, MiB", "less")
    for key, (label, _) in SPEEDS.items():
        yield Row(f"{key}.per_second", f"{label}, messages/s", "more")
        yield Row(f"{key}.p50_ms", f"{label}, p50 ms", "less")
        yield Row(f"{key}.p99_ms", f"{label}, p99 ms", "less")
        yield Row(f"{key}.cpu_us", f"{label}, server CPU µs/message", "less")
    yield Row("peak_mib", "memory at its peak in all that, MiB", "less")
    yield Row("deep.messages", "deep queue, messages", "")
    yield Row("deep.fill_per_second", "deep queue, filled at messages/s", "more")
    yield Row("deep.bytes", "deep queue, memory bytes/message", "less")
    yield Row("deep.disk_bytes", "deep queue, disk bytes/message", "")
    for key in DEEP_SPEEDS:
        label = SPEEDS[key][0]
        yield Row(f"deep.{key}.per_second", f"deep: {label}, messages/s", "more")
        yield Row(f"deep.{key}.of_empty", f"deep: {label}, % of the speed above", "")
        yield Row(f"deep.{key}.p50_ms", f"deep: {label}, p50 ms", "less")
        yield Row(f"deep.{key}.p99_ms", f"deep: {label}, p99 ms", "less")
        yield Row(f"deep.{key}.cpu_us", f"deep: {label}, server CPU µs/message", "less")


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


def _measure(run: Run, contender: Contender, round_number: int) -> None:
    if contender.name not in run.installed:
        return
    say(f"round {round_number + 1} of {run.settings.rounds}: {contender.name}")
    try:
        with run.started(contender) as (server, start_seconds):
            run.note("start_ms", contender.name, start_seconds * 1e3)
            time.sleep(SETTLE_SECONDS)
            run.note("idle_mib", contender.name, server.process.resident_bytes() / MIB)
            for key, (label, speed_of) in SPEEDS.items():
                try:
                    with server.queue() as url:
                        speed = speed_of(server, url, run.settings.seconds)
                except FAILURES as error:
                    run.fail(contender.name, label, error, [f"{key}."])
                else:
                    run.note_speed(key, contender.name, speed)
                    say(f"  {label}: {speed.per_second:,.0f} messages/s")
            run.note("peak_mib", contender.name, server.process.peak_resident_bytes() / MIB)
    except FAILURES as error:
        run.fail(contender.name, f"round {round_number + 1}", error, ["start_ms"])


def _measure_deep(run: Run, contender: Contender) -> None:
    if contender.name not in run.installed:
        return
    name, settings = contender.name, run.settings
    say(f"deep queue: {name}")
    try:
        with run.started(contender) as (server, _), server.queue() as url:
            # What the first messages bring into memory, code and buffers, is no message's.
            server.fill(url, 1_000, settings.seconds)
            memory, disk = server.process.resident_bytes(), server.disk_bytes()
            filled = server.fill(
                url, settings.deep_messages, OUR_DEEP_SECONDS if name == OURS else settings.peers_deep_seconds
            )
            say(f"  {filled.messages:,} messages in {filled.seconds:.0f} s")
            time.sleep(SETTLE_SECONDS)
            run.note("deep.messages", name, filled.messages)
            run.note("deep.fill_per_second", name, filled.messages / filled.seconds)
            run.note("deep.bytes", name, (server.process.resident_bytes() - memory) / filled.messages)
            run.note("deep.disk_bytes", name, (server.disk_bytes() - disk) / filled.messages)
            if filled.messages < LEAST_DEEP:
                run.doubts.append(
                    f"{name} deep: too slow to fill a deep queue: {filled.messages:,} messages in "
                    f"{filled.seconds:.0f} s; no speeds were measured on it"
                )
                return
            for key, speed_of in DEEP_SPEEDS.items():
                try:
                    speed = speed_of(server, url, server.api.count_messages(url), settings.deep_seconds)
                except FAILURES as error:
                    run.fail(name, f"deep: {SPEEDS[key][0]}", error, [f"deep.{key}."])
                    continue
                run.note_speed(f"deep.{key}", name, speed)
                empty = run.rows[f"{key}.per_second"].median(name)
                if empty:
                    run.note(f"deep.{key}.of_empty", name, speed.per_second / empty * 100)
                say(f"  {SPEEDS[key][0]}: {speed.per_second:,.0f} messages/s")
    except FAILURES as error:
        run.fail(name, "deep queue", error, ["deep."])


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


if __name__ == "__main__":
    sys.exit(main())
