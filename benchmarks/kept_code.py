"""Code of ours beside the packages that could replace it, in turn, for docs/notes/kept-code.md.

`pip install aiohttp amazon.ion cachetools`, then `PYTHONPATH=src python -m benchmarks.kept_code http ours aiohttp`.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

import uvloop

_TURNS = 7
_REQUESTS, _AT_ONCE = 30_000, 64
_BODY = b"x" * 200
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class _Server(asyncio.Protocol):
    """Answers whatever ends as the body of a request does."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(_BODY):
            self._transport.write(_ANSWER)


def _serve(port: Connection) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


async def _ours(url: str, sends: Callable[..., Awaitable[None]]) -> None:
    from cloudlet.engines.http_client import HttpClient

    client = HttpClient()
    headers = [("content-type", "application/json")]
    await sends(lambda: client.request("POST", url, headers, _BODY, timeout=5, limit=1 << 20))
    await client.close()


async def _aiohttp(url: str, sends: Callable[..., Awaitable[None]]) -> None:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_AT_ONCE), timeout=timeout) as session:

        async def send() -> None:
            async with session.post(url, headers={"content-type": "application/json"}, data=_BODY) as response:
                await response.read()

        await sends(send)


_CLIENTS = {"ours": _ours, "aiohttp": _aiohttp}


async def _run(client: str, url: str) -> float:
    """Return how many seconds of the processor the requests have taken."""
    before = time.process_time()

    async def sends(send: Callable[[], Awaitable[object]]) -> None:
        async def some() -> None:
            for _ in range(_REQUESTS // _AT_ONCE):
                await send()

        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))

    await _CLIENTS[client](url, sends)
    return time.process_time() - before


def _growth(client: str, url: str, answer: Connection) -> None:
    """Send by how much a client makes its process grow, in MB, its modules included."""
    before = _memory()
    uvloop.run(_run(client, url))
    answer.send(_memory() - before)


def _memory() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def http(*clients: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    receiving, sending = spawn.Pipe(duplex=False)
    spawn.Process(target=_serve, args=(sending,), daemon=True).start()
    url = f"http://127.0.0.1:{receiving.recv()}/path"
    took: dict[str, list[float]] = {client: [] for client in clients}
    for _ in range(_TURNS):
        for client in clients:
            took[client].append(uvloop.run(_run(client, url)))
    for client in clients:
        spawn.Process(target=_growth, args=(client, url, sending)).start()
        rate = _REQUESTS / statistics.median(took[client])
        print(f"{client}: {rate:,.0f} requests/s of one core, {receiving.recv():.0f} MB")


def _print(calls: dict[str, Callable[[], object]], times: int) -> None:
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(_TURNS):
        for name, call in calls.items():
            before = time.process_time()
            for _ in range(times):
                call()
            took[name].append((time.process_time() - before) / times * 1e6)
    for name, each in took.items():
        print(f"{name}: {statistics.median(each):.2f} µs")


def cache() -> None:
    from cachetools import LRUCache

    from cloudlet.core.kernel.sized_cache import SizedCache

    ours: SizedCache[int, int] = SizedCache(1 << 19)
    theirs: LRUCache[int, tuple[int, int]] = LRUCache(1 << 19, getsizeof=lambda value: value[1])
    lock = Lock()

    def get() -> object:
        with lock:
            return theirs.get(7)

    def add() -> None:
        with lock:
            theirs[7] = 7, 1000

    _print({"get, ours": lambda: ours.get(7), "get, cachetools": get}, 100_000)
    _print({"add, ours": lambda: ours.add(7, 7, 1000), "add, cachetools": add}, 100_000)


def ion() -> None:
    """A line of Ion, the package's without what turns its values into those of an item."""
    from decimal import Decimal

    from amazon.ion.simpleion import dumps, loads

    from cloudlet.services.dynamodb.item_data.ion import item, line

    content = {"p": {"S": "customer-1"}, "n": {"N": "12.95"}, "m": {"M": {"street": {"S": "Long Road 5"}}}}
    written = {"Item": {"p": "customer-1", "n": Decimal("12.95"), "m": {"street": "Long Road 5"}}}
    text = line("Item", content)
    _print(
        {"write, ours": lambda: line("Item", content), "write, amazon.ion": lambda: dumps(written, binary=False)}, 5000
    )
    _print({"read, ours": lambda: item(text), "read, amazon.ion": lambda: loads(text)}, 5000)


def counting() -> None:
    """What DynamoDB measures of a GetItem, noted or counted at once."""
    from cloudlet.services.dynamodb import measuring
    from cloudlet.services.dynamodb.measuring import _USES, _add, _consumed, _use_of, note

    class Plain(SimpleNamespace):
        __hash__ = object.__hash__

    table = Plain(arn="arn", record=SimpleNamespace(account="1", region="r", name="t"), indexes={})
    block = Plain(is_measured=True, metrics=SimpleNamespace(noted={}), attached={})
    ctx: Any = SimpleNamespace(block=block, measured=((table, "Read", 0.5, (), None),), started=0.0)
    starts = itertools.cycle([0.0003 + each * 1.7e-6 for each in range(1000)])

    def noted() -> None:
        ctx.started = time.perf_counter() - next(starts)
        note(ctx, "GetItem", {}, {}, None)

    def counted() -> None:
        ctx.started = time.perf_counter() - next(starts)
        for spent in ctx.measured:
            use = _use_of(_USES.get(ctx.block), spent[0])
            if use is not None:
                _consumed(use, spent, 1)
                latency = (measuring.perf_counter() - ctx.started) * 1000
                _add(use.values, ("SuccessfulRequestLatency", "GetItem", ""), latency, 1)

    _print({"noted": noted, "counted": counted}, 50_000)


if __name__ == "__main__":
    {"http": http, "cache": cache, "ion": ion, "counting": counting}[sys.argv[1]](*sys.argv[2:])
