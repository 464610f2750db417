"""What replicas of SQS reach over one PostgreSQL, beside the embedded store: `python -m benchmarks.postgres`.

Needs a PostgreSQL (see docs/postgresql.md) and wrk. Everything runs on this machine, the database and the clients
included: with few cores, two replicas show what sharing a keyspace costs rather than what a second machine would bring.
"""

import argparse
import base64
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import machine, scenarios, wrk
from benchmarks.api import SqsApi
from benchmarks.contenders import KEY
from benchmarks.process import tree_cpu_seconds
from cloudlet.engines import postgres_server
from cloudlet.testing.server import Server

SETUPS = {"embedded, one process": 0, "PostgreSQL, one replica": 1, "PostgreSQL, two replicas": 2}


@dataclass(frozen=True)
class Setup:
    """A running SQS, in one or several processes."""

    apis: list[SqsApi]
    processes: list[int]
    database: int | None
    """The process that all others of PostgreSQL are children of."""


@dataclass(frozen=True)
class Share:
    """What one replica's clients saw. Latencies, in milliseconds, are of a request."""

    messages: int
    seconds: float
    p50: float
    p99: float


@dataclass
class Figures:
    """The rounds of one scenario on one setup."""

    per_second: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cloudlet_us: list[float] = field(default_factory=list)
    database_us: list[float] = field(default_factory=list)

    def cells(self) -> list[str]:
        """The medians, as the table has them."""
        median = statistics.median
        return [
            f"{median(self.per_second):,.0f}",
            f"{median(self.p50):.1f} / {median(self.p99):.1f}",
            f"{median(self.cloudlet_us):.0f}",
            f"{median(self.database_us):.0f}",
        ]


@contextmanager
def running(replicas: int) -> Iterator[Setup]:
    """Start a fresh setup: the embedded store in one process, or so many replicas over a fresh PostgreSQL."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = ["--listen", "127.0.0.1:0", "--root-key", f"{KEY.account}:{KEY.key_id}:{KEY.secret}"]
        database = None
        if replicas:
            server = stack.enter_context(postgres_server.run_temporary_server())
            database = server.pid
            options += ["--store", server.url]
        environment = {"CLOUDLET_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode()}
        servers = [
            stack.enter_context(Server.serve("sqs", "--data", str(folder / str(n)), *options, env=environment))
            for n in range(max(replicas, 1))
        ]
        yield Setup(
            [SqsApi(server.endpoint.removeprefix("http://"), KEY) for server in servers],
            [server.process.pid for server in servers if server.process is not None],
            database,
        )


def send(api: SqsApi, queue: str, connections: int, seconds: int) -> Share:
    """SendMessage of 100 bytes."""
    body = scenarios.message(queue)
    report = wrk.run(api.host, api.signer.headers("SendMessage", body), body, connections, seconds)
    return Share(report.requests, report.seconds, report.p50_ms, report.p99_ms)


def pass_through(api: SqsApi, queue: str, connections: int, seconds: int) -> Share:
    """Each connection sends a message, receives one and deletes it, over and over."""
    passed = wrk.consume(
        api.host, api.signer, queue, 1, scenarios.UNBOUNDED, seconds, connections, scenarios.message(queue)
    )
    return Share(passed.deleted - passed.repeated, passed.seconds, passed.p50_ms, passed.p99_ms)


SCENARIOS: dict[str, Callable[[SqsApi, str, int, int], Share]] = {
    "SendMessage": send,
    "send + receive 1 + delete": pass_through,
}


def measure(setup: Setup, scenario: str, connections: int, seconds: int, figures: Figures) -> None:
    """Run one scenario through all replicas at once, each with its share of the connections."""
    queue = setup.apis[0].create_queue(f"q{secrets.token_hex(4)}")
    each = connections // len(setup.apis)
    run = partial(SCENARIOS[scenario], queue=queue, connections=each, seconds=seconds)
    before = _cpu(setup)
    with ThreadPoolExecutor(len(setup.apis)) as threads:
        shares = list(threads.map(run, setup.apis))
    cloudlet, database = (after - start for after, start in zip(_cpu(setup), before, strict=True))
    messages = sum(share.messages for share in shares)
    figures.per_second.append(sum(share.messages / share.seconds for share in shares))
    figures.p50.append(statistics.mean(share.p50 for share in shares))
    figures.p99.append(max(share.p99 for share in shares))
    figures.cloudlet_us.append(cloudlet / messages * 1e6)
    figures.database_us.append(database / messages * 1e6)


def _cpu(setup: Setup) -> tuple[float, float]:
    return (
        sum(tree_cpu_seconds(pid) for pid in setup.processes),
        tree_cpu_seconds(setup.database) if setup.database is not None else 0.0,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postgres", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64], help="of all replicas together")
    options = parser.parse_args(arguments)
    wrk.ensure_installed()
    results: dict[tuple[str, int, str], Figures] = {}
    for _ in range(options.rounds):
        for setup, replicas in SETUPS.items():
            with running(replicas) as started:
                for connections in options.connections:
                    for scenario in SCENARIOS:
                        figures = results.setdefault((scenario, connections, setup), Figures())
                        measure(started, scenario, connections, options.seconds, figures)
                        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{time.strftime('%Y-%m-%d')}, {machine.describe(Path(tempfile.gettempdir()))}\n")
    print("| scenario | connections | | messages/s | p50 / p99, ms | Cloudlet's CPU, µs/message | PostgreSQL's |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    for (scenario, connections, setup), figures in sorted(results.items(), key=lambda item: item[0][:2]):
        print("|", " | ".join([scenario, str(connections), setup, *figures.cells()]), "|")
    return 0


if __name__ == "__main__":
    sys.exit(main())
