"""Measures SQS: `python -m benchmarks.sqs`, explained in README.md."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import scenarios
from benchmarks.api import SqsApi
from benchmarks.contenders import CONTENDERS, KEY, Contender
from benchmarks.rounds import FAILURES, MIB, SETTLE_SECONDS, Run, Settings, compare, parser, say
from benchmarks.scenarios import Server, Speed
from benchmarks.table import OURS, Row

# Enough for a million at 17,000 a second; a Cloudlet slower than that is measured with what went in.
OUR_DEEP_SECONDS = 60.0
# With fewer messages than in the queue that consumers start with there is nothing deep to measure.
LEAST_DEEP = scenarios.LAP_MESSAGES

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
class SqsSettings(Settings):
    """How long and how often, and how deep."""

    deep_messages: int
    peers_deep_seconds: float

    @property
    def deep_seconds(self) -> int:
        """Seconds of a measurement on the deep queue: there are many, and it tells orders of magnitude."""
        return min(self.seconds, 3)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    options = _parser().parse_args(arguments)
    settings = SqsSettings(
        rounds=options.rounds,
        seconds=2 if options.quick else options.seconds,
        deep_messages=0 if options.no_deep else 100_000 if options.quick else options.deep,
        peers_deep_seconds=5.0 if options.quick else options.peers_deep_seconds,
    )
    SqsApi("127.0.0.1:1", KEY).signer.check()

    def deep(run: Run, contender: Contender) -> None:
        _measure_deep(run, contender, settings)

    return compare(
        "python -m benchmarks.sqs " + " ".join(sys.argv[1:] if arguments is None else arguments),
        options,
        settings,
        CONTENDERS,
        _rows(),
        _measure,
        finally_measure=deep if settings.deep_messages else None,
    )


def _parser() -> argparse.ArgumentParser:
    made = parser("SQS", CONTENDERS, seconds=5)
    made.add_argument("--quick", action="store_true", help="2 s a measurement and a small deep queue: a glance")
    made.add_argument("--deep", type=int, default=1_000_000, help="messages in the deep queue (1,000,000)")
    made.add_argument("--peers-deep-seconds", type=float, default=10.0, help="seconds to fill a peer's deep queue (10)")
    made.add_argument("--no-deep", action="store_true", help="leave the deep queue out")
    return made


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


def _measure(run: Run, contender: Contender, round_number: int) -> None:
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


def _measure_deep(run: Run, contender: Contender, settings: SqsSettings) -> None:
    name = contender.name
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


if __name__ == "__main__":
    sys.exit(main())
