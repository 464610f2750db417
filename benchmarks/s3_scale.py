"""Fills one bucket of S3 and measures it on the way: `python -m benchmarks.s3_scale`; see README.md.

Only Cloudlet: its peers hold a bucket in memory, or look at all of its files for a page. Keys are in 1,000 folders, and
come in turn to each, so that every page is put together of what was written at different times.
"""

import argparse
import itertools
import os
import random
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine, network, wrk
from benchmarks.contenders import S3_CONTENDERS, S3_KEY
from benchmarks.levels import table
from benchmarks.process import ServerProcess
from benchmarks.s3_api import S3Api, address, head
from benchmarks.scenarios import CONNECTIONS, Meter, Speed, Started, Wrong
from benchmarks.wrk import WrkReport

MIB = 1024 * 1024
START_SECONDS = 30.0
BUCKET = "scale"
FOLDERS = 1_000
BODY = b"x" * 100
FILLING_CONNECTIONS = 64
PIPELINED = 8
SAMPLE = 10_000
"""Requests of a measurement, each about another object; when all are through they come again."""
_SUCCESS = b"HTTP/1.1 200 "

REQUESTS: dict[str, tuple[int, Callable[[S3Api, int], bytes]]] = {
    "GetObject": (CONNECTIONS, lambda api, number: api.request("GET", address(BUCKET, key(number)))),
    "PutObject": (CONNECTIONS, lambda api, number: api.request("PUT", address(BUCKET, key(number)), BODY)),
    "a page of 1,000, from anywhere": (
        1,
        lambda api, number: api.request("GET", f"/{BUCKET}?list-type=2&start-after={key(number).replace('/', '%2F')}"),
    ),
    "a page of a folder": (
        1,
        lambda api, number: api.request("GET", f"/{BUCKET}?list-type=2&prefix=folder-{number % FOLDERS:03}%2F"),
    ),
    "a page of all folders": (1, lambda api, number: api.request("GET", f"/{BUCKET}?delimiter=%2F&list-type=2")),
}
"""What is measured, over how many connections, and the requests."""


@dataclass(frozen=True)
class Level:
    """What was measured once so many objects were in the bucket; memory and disk in bytes."""

    count: int
    resident: int
    disk: int
    speeds: dict[str, Speed]


def key(number: int) -> str:
    """The key of an object."""
    return f"folder-{number % FOLDERS:03}/object-{number:08}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    options = _parser().parse_args(arguments)
    cache = Path(options.cache).expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    wrk.ensure_installed()
    levels = []
    with tempfile.TemporaryDirectory(prefix="data-scale-", dir=cache) as folder:
        data = Path(folder)
        port = network.free_port()
        installed = S3_CONTENDERS[0].install(cache)
        environment = os.environ | installed.environment(port)
        process = ServerProcess(installed.command(port, data), environment, cache / "scale.log", data)
        try:
            api = S3Api(f"127.0.0.1:{port}", S3_KEY)
            api.wait_until_up(START_SECONDS, lambda: process.exit_code() is None)
            api.create_bucket(BUCKET)
            for level in _levels(Started(process, api, data), options.levels, options.seconds):
                levels.append(level)
                print(f"{level.count:,} objects: {level.resident / MIB:.0f} MiB resident", file=sys.stderr, flush=True)
            peak = process.peak_resident_bytes()
        finally:
            process.stop()
    print(f"{machine.describe(cache)}\ncloudlet {installed.version}; memory at its peak {peak / MIB:.0f} MiB\n")
    print(table("objects", levels, list(REQUESTS)))
    return 0


def _levels(server: Started[S3Api], sizes: Sequence[int], seconds: int) -> Iterator[Level]:
    there = 0
    for size in sorted(sizes):
        began = time.monotonic()
        _fill(server.api.host, there, size)
        per_second = (size - there) / (time.monotonic() - began)
        print(f"{size:,} objects; {per_second:,.0f} were put each second", file=sys.stderr, flush=True)
        there = size
        _check(server.api, size)
        speeds = {name: _speed(server, name, size, seconds) for name in REQUESTS}
        yield Level(size, server.process.resident_bytes(), server.disk_bytes(), speeds)


def _fill(host: str, begin: int, end: int) -> None:
    """Put the objects begin … end - 1, some at once over each of some connections.

    Unsigned, which Cloudlet lets in: here it is the bucket that matters, and not how fast it is filled.
    """
    name, _, port = host.partition(":")
    connections = [socket.create_connection((name, int(port)), timeout=60) for _ in range(FILLING_CONNECTIONS)]
    try:
        numbers = iter(range(begin, end))
        while True:
            sent = []
            for connection in connections:
                batch = [_put(host, number) for number in itertools.islice(numbers, PIPELINED)]
                if batch:
                    connection.sendall(b"".join(batch))
                    sent.append((connection, len(batch)))
            if not sent:
                return
            for connection, count in sent:
                _await(connection, count)
    finally:
        for connection in connections:
            connection.close()


def _put(host: str, number: int) -> bytes:
    return head("PUT", address(BUCKET, key(number)), {"Host": host}, len(BODY)) + BODY


def _await(connection: socket.socket, count: int) -> None:
    answers = b""
    while answers.count(_SUCCESS) < count or not answers.endswith(b"\r\n\r\n"):
        received = connection.recv(1 << 16)
        answers += received
        if not received or answers.count(b"HTTP/1.1 ") != answers.count(_SUCCESS):
            raise Wrong(f"an object was not put: {answers[-1000:]!r}")


def _check(api: S3Api, size: int) -> None:
    """Look at some of the objects, and at the folders."""
    for number in random.Random(size).sample(range(size), min(size, 100)):
        if api.get(BUCKET, key(number)) != BODY:
            raise Wrong(f"{key(number)} is not what was put")
    folders = api.call("GET", f"/{BUCKET}?delimiter=%2F&list-type=2").count(b"<CommonPrefixes>")
    if folders != min(size, FOLDERS):
        raise Wrong(f"{folders} folders are listed")


def _speed(server: Started[S3Api], name: str, size: int, seconds: int) -> Speed:
    connections, request = REQUESTS[name]
    numbers = random.Random(size).sample(range(size), min(size, SAMPLE if connections > 1 else 500))
    requests = [request(server.api, number) for number in numbers]
    meter = Meter(server.process)
    with meter:
        report: WrkReport = wrk.run_many(server.api.host, requests, connections, seconds)
    return meter.speed(report.requests, 0, report.seconds, report.p50_ms, report.p99_ms)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.s3_scale", description="Measures a large bucket.")
    parser.add_argument(
        "--levels",
        type=lambda text: [int(each) for each in text.split(",")],
        default=[10_000, 100_000, 1_000_000],
        help="the numbers of objects to measure at (10000,100000,1000000)",
    )
    parser.add_argument("--seconds", type=int, default=4, help="seconds a measurement (4)")
    parser.add_argument("--cache", default="~/.cache/cloudlet-bench", help="where the bucket is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
