"""Fills one table of DynamoDB and measures it on the way: `python -m benchmarks.dynamodb_scale`; see README.md.

Only Cloudlet: its peers hold a table in memory. Items are small (some 120 bytes of JSON) and ten share a partition;
partitions are hashed, so that they come in no order that would make it easy.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import uvloop

from benchmarks import machine, network, wrk
from benchmarks.api import CallFailed
from benchmarks.contenders import CONTENDERS, KEY
from benchmarks.dynamodb_scenarios import BATCH, PARTITION, DynamoApi, key, measured
from benchmarks.levels import table
from benchmarks.loop_client import Connection, LoopFailed
from benchmarks.process import ServerProcess
from benchmarks.scenarios import Speed, Started
from benchmarks.signing import Signer

MIB = 1024 * 1024
START_SECONDS = 30.0
TABLE = "scale"
OPERATIONS = ("GetItem", "PutItem", "Query")
CONNECTIONS = 8
"""Of each process that fills."""
SAMPLE = 10_000
"""Requests of a measurement, each for another item or partition; when all are through they come again."""
REPORT_SECONDS = 30.0


@dataclass(frozen=True)
class Level:
    """What was measured once so many items were in the table; memory and disk in bytes."""

    count: int
    resident: int
    disk: int
    speeds: dict[str, Speed]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    options = _parser().parse_args(arguments)
    cache = Path(options.cache).expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    wrk.ensure_installed()
    levels = []
    with _folder(options.data, cache) as folder:
        data = Path(folder)
        port = network.free_port()
        installed = CONTENDERS[0].install(cache)
        environment = os.environ | installed.environment(port)
        process = ServerProcess(installed.command(port, data), environment, cache / "scale.log", data)
        try:
            api = DynamoApi(f"127.0.0.1:{port}", KEY)
            api.wait_until_up(START_SECONDS, lambda: process.exit_code() is None)
            deadline = time.monotonic() + options.minutes * 60
            for level in _levels(Started(process, api, data), options, deadline):
                levels.append(level)
                _say(_line(level))
            peak = process.peak_resident_bytes()
        finally:
            process.stop()
    print(f"{machine.describe(cache)}\ncloudlet {installed.version}; memory at its peak {peak / MIB:.0f} MiB\n")
    print(table("items", levels, list(OPERATIONS)))
    return 0


def _folder(chosen: str | None, cache: Path) -> AbstractContextManager[str]:
    if chosen is None:
        return tempfile.TemporaryDirectory(prefix="data-scale-", dir=cache)
    Path(chosen).mkdir(parents=True, exist_ok=True)
    return nullcontext(chosen)


def _levels(server: Started[DynamoApi], options: argparse.Namespace, deadline: float) -> Iterator[Level]:
    """Bring the table to one size after the other, and measure it there, until the time is over."""
    there = _count(server.api)
    for size in sorted(options.levels):
        if size < there:
            continue
        there = _fill(server.api.host, there, size, options.processes, deadline)
        if _count(server.api) != there:
            raise CallFailed(f"{_count(server.api)} items are in the table, and there should be {there}")
        speeds = {name: _speed(server, name, there, options.seconds) for name in OPERATIONS if options.seconds}
        yield Level(there, server.process.resident_bytes(), server.disk_bytes(), speeds)
        if there < size:
            return


def _count(api: DynamoApi) -> int:
    """How many items there are in the table, which is made where there is none."""
    try:
        described = api.call("DescribeTable", {"TableName": TABLE})
    except CallFailed:
        api.create_table(TABLE)
        return 0
    count: int = described["Table"]["ItemCount"]
    return count


def _fill(host: str, begin: int, end: int, processes: int, deadline: float) -> int:
    """Put the items begin … end - 1 by several processes; return how far they came by the deadline."""
    context = multiprocessing.get_context("spawn")
    following = context.Value("q", begin)
    fillers = [context.Process(target=_put_items, args=(host, following, end, deadline)) for _ in range(processes)]
    began = told = time.monotonic()
    for filler in fillers:
        filler.start()
    while any(filler.is_alive() for filler in fillers):
        time.sleep(0.05)
        if time.monotonic() > told + REPORT_SECONDS:
            told = time.monotonic()
            _say(f"  {following.value:,} items after {told - began:.0f} s")
    if any(filler.exitcode for filler in fillers):
        raise LoopFailed("a process that fills has failed")
    there = min(following.value, end)
    if there > begin:
        _say(f"{there:,} items; {(there - begin) / (time.monotonic() - began):,.0f} were put each second")
    return there


def _put_items(host: str, following: "Synchronized[int]", end: int, deadline: float) -> None:
    async def put() -> None:
        await _Filler(host, following, end, deadline).run()

    uvloop.run(put())


class _Filler:
    """Puts batches of items, from the number that `following` has, which is shared with others."""

    def __init__(self, host: str, following: "Synchronized[int]", end: int, deadline: float) -> None:
        self._signer = Signer(KEY, host, "dynamodb", "DynamoDB_20120810")
        self._following = following
        self._end = end
        self._deadline = deadline
        self._random = random.Random(following.value)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._working = CONNECTIONS
        self._connections = [
            Connection(host, partial(self._answered, number), self._fail) for number in range(CONNECTIONS)
        ]

    async def run(self) -> None:
        for number in range(CONNECTIONS):
            self._send(number)
        await self._over
        for connection in self._connections:
            connection.close()

    def _send(self, number: int) -> None:
        begin = self._end
        if time.monotonic() < self._deadline:
            with self._following.get_lock():
                begin = self._following.value
                self._following.value += min(BATCH, max(0, self._end - begin))
        if begin < self._end:
            puts = ",".join([self._put(each) for each in range(begin, min(begin + BATCH, self._end))])
            body = f'{{"RequestItems":{{"{TABLE}":[{puts}]}}}}'.encode()
            self._connections[number].send(self._signer.request("BatchWriteItem", body))
            return
        self._working -= 1
        if not self._working and not self._over.done():
            self._over.set_result(None)

    def _put(self, number: int) -> str:
        partition, text = number // PARTITION, f"{self._random.getrandbits(160):040x}"
        return (
            f'{{"PutRequest":{{"Item":{{"p":{{"S":"partition-{partition:07}"}},"c":{{"S":"item-{number:08}"}},'
            f'"n":{{"N":"{number}"}},"text":{{"S":"{text}"}}}}}}}}'
        )

    def _answered(self, number: int, body: bytes) -> None:
        if b'"UnprocessedItems":{}' not in body:
            self._fail(f"not all of a batch was put: {body[:300]!r}")
        else:
            self._send(number)

    def _fail(self, reason: str) -> None:
        if not self._over.done():
            self._over.set_exception(LoopFailed(reason))


def _speed(server: Started[DynamoApi], operation: str, items: int, seconds: int) -> Speed:
    """How fast items and partitions all over the table are read, or items are put in the place of what is there."""
    numbers = random.Random(items).sample(range(items), min(items, SAMPLE))
    return measured(server, operation, [_parameters(operation, number) for number in numbers], seconds)


def _parameters(operation: str, number: int) -> dict[str, object]:
    if operation == "GetItem":
        return {"TableName": TABLE, "Key": key(number)}
    if operation == "PutItem":
        item = {**key(number), "n": {"N": str(number)}, "text": {"S": "another text"}}
        return {"TableName": TABLE, "Item": item}
    values = {":p": key(number)["p"]}
    return {"TableName": TABLE, "KeyConditionExpression": "p = :p", "ExpressionAttributeValues": values}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _line(level: Level) -> str:
    speeds = [
        f"{name} {speed.per_second:,.0f}/s, p50 {speed.p50_ms:.2f} ms, p99 {speed.p99_ms:.2f} ms"
        for name, speed in level.speeds.items()
    ]
    sizes = f"{level.resident / MIB:.0f} MiB resident, {level.disk / MIB:,.0f} MiB of disk"
    return "; ".join([f"{level.count:,} items: {sizes}", *speeds])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dynamodb_scale", description="Measures a large table.")
    parser.add_argument(
        "--levels",
        type=lambda text: [int(each) for each in text.split(",")],
        default=[10_000, 100_000, 1_000_000, 10_000_000],
        help="the numbers of items to measure at (10000,100000,1000000,10000000)",
    )
    parser.add_argument("--processes", type=int, default=2, help="processes that fill (2)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds a measurement; 0 to fill only (4)")
    parser.add_argument("--minutes", type=float, default=60.0, help="when to stop filling, whatever is there (60)")
    parser.add_argument("--data", help="a data folder that is kept, and whose table is gone on with")
    parser.add_argument("--cache", default="~/.cache/cloudlet-bench", help="where the table is without --data")
    return parser


if __name__ == "__main__":
    sys.exit(main())
