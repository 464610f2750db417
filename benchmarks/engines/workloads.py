"""What is measured of one engine: each function opens, works and leaves, in a process of its own."""

import asyncio
import itertools
import os
import random
import struct
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from benchmarks.engines.maps import MAPS, copy_folder, sync_folder
from cloudlet.store import embedded
from cloudlet.store.interface import Row, Transaction

KEY_BYTES, VALUE_BYTES = 16, 284
_LOAD_PUTS, _LOAD_TRANSACTIONS = 100, 10
_BACKLOG = 1000
_QUEUE = b"\xffq"
_POOL = random.Random(1).randbytes(1 << 20)
_EVERYTHING = (b"", b"\xff" * KEY_BYTES)

Figures = dict[str, float]
_Body = Callable[[Transaction], Coroutine[Any, Any, Any]]


def key(number: int) -> bytes:
    """The key of a row: in no order (SplitMix64), and below those of the queue."""
    mixed = (number + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return struct.pack(">QQ", (mixed ^ mixed >> 31) >> 1, number)


def value(number: int) -> bytes:
    """A value that does not compress."""
    start = number * 7919 % (len(_POOL) - VALUE_BYTES)
    return _POOL[start : start + VALUE_BYTES]


class BenchStore(embedded.EmbeddedStore):
    """The embedded engine over one of the maps. It notes how long the disk took, and always waits for it in place:

    of the three only RocksDB lets others write while a sync is under way, and here nobody would.
    """

    def __init__(self, engine: str, folder: Path) -> None:
        vars(embedded)["OrderedMap"] = MAPS[engine]
        super().__init__(folder)
        self.sync_seconds: list[float] = []

    def _sample(self, seconds: float) -> None:
        self.sync_seconds.append(seconds)

    async def group(self, bodies: list[_Body]) -> list[Any]:
        """Run transactions that arrive together; they share one sync."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        results: list[Any] = []

        def done(result: Any, error: BaseException | None) -> None:
            if error is not None:
                future.set_exception(error)
                return
            results.append(result)
            if len(results) == len(bodies):
                future.set_result(results)

        for body in bodies:
            self.submit(body, done)
        return await future

    def copy_live(self, target: Path) -> None:
        self._map.copy_live(target)  # type: ignore[attr-defined]


def _put(number: int) -> _Body:
    async def body(tx: Transaction) -> None:
        tx.put(key(number), value(number))

    return body


async def load(engine: str, folder: Path, rows: int, seconds: float) -> Figures:
    """Put rows until there are enough of them or the time is over, a durable sync every 1,000."""

    def many(first: int) -> _Body:
        async def body(tx: Transaction) -> None:
            for number in range(first, first + _LOAD_PUTS):
                tx.put(key(number), value(number))

        return body

    store = BenchStore(engine, folder)
    started = time.perf_counter()
    loaded = 0
    while loaded < rows and time.perf_counter() - started < seconds:
        firsts = range(loaded, loaded + _LOAD_PUTS * _LOAD_TRANSACTIONS, _LOAD_PUTS)
        await store.group([many(first) for first in firsts])
        loaded += _LOAD_PUTS * _LOAD_TRANSACTIONS
    took = time.perf_counter() - started
    figures = {"rows": loaded, "load_rows_s": loaded / took, "disk_mb": store.size() / 1e6, **_memory("load")}
    figures["close_ms"] = await _timed_ms(store.close())
    return figures


async def puts(engine: str, folder: Path, rows: int, seconds: float) -> Figures:
    """Put rows that replace others, in groups that share a sync."""
    store = BenchStore(engine, folder)
    figures: Figures = {}
    for size in (16, 32):
        store.sync_seconds.clear()
        processor, count, started = time.process_time(), 0, time.perf_counter()
        while (took := time.perf_counter() - started) < seconds:
            await store.group([_put(random.randrange(rows)) for _ in range(size)])
            count += size
        figures[f"put{size}_s"] = count / took
        figures[f"put{size}_cpu_us"] = (time.process_time() - processor) / count * 1e6
        figures[f"sync{size}_p50_us"] = _percentile(store.sync_seconds, 0.5) * 1e6
        figures[f"sync{size}_p99_us"] = _percentile(store.sync_seconds, 0.99) * 1e6
    figures |= _memory("puts")
    await store.close()
    return figures


async def reads(engine: str, folder: Path, rows: int, seconds: float) -> Figures:
    """Random gets, and scans of ten rows from random places, forward and backward."""

    async def get(tx: Transaction) -> bytes | None:
        return await tx.get(key(random.randrange(rows)))

    async def scan(tx: Transaction) -> list[Row]:
        return await tx.range(key(random.randrange(rows)), _QUEUE, limit=10)

    async def scan_back(tx: Transaction) -> list[Row]:
        return await tx.range(b"", key(random.randrange(rows)) + b"\x00", limit=10, reverse=True)

    store = BenchStore(engine, folder)
    figures: Figures = {}
    for name, body in (("get_s", get), ("scan_s", scan), ("scan_back_s", scan_back)):
        figures[name] = await _rate(store, body, seconds)
    figures |= _memory("reads")
    await store.close()
    return figures


async def queue(engine: str, folder: Path, rows: int, seconds: float) -> Figures:
    """Append at the tail and take from the head, 16 of each between syncs; look at the head, also after a restart."""
    store = BenchStore(engine, folder)
    tail = itertools.count()
    end = _QUEUE + b"\xff" * 9
    await store.transact(_clear(_QUEUE, end))

    async def send(tx: Transaction) -> None:
        number = next(tail)
        tx.put(_QUEUE + struct.pack(">Q", number), value(number))

    async def receive(tx: Transaction) -> None:
        for name, _ in await tx.range(_QUEUE, end, limit=1):
            tx.delete(name)

    async def look(tx: Transaction) -> list[Row]:
        return await tx.range(_QUEUE, end, limit=10)

    await store.group([send] * _BACKLOG)
    count, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < seconds:
        await store.group([send, receive] * 16)
        count += 16
    figures = {"queue_s": count / took}
    figures["head_s"] = await _rate(store, look, seconds / 3)
    figures |= _memory("queue")
    await store.close()
    store = BenchStore(engine, folder)
    started = time.perf_counter()
    await store.transact(look)
    figures["head_anew_ms"] = (time.perf_counter() - started) * 1e3
    await store.close()
    return figures


def _clear(begin: bytes, end: bytes) -> _Body:
    async def body(tx: Transaction) -> None:
        tx.delete_range(begin, end)

    return body


async def snapshot(engine: str, folder: Path, rows: int, seconds: float) -> Figures:
    """Copy the closed store, restore it elsewhere and read a row; and copy it while it is open."""
    copy, back, live = (folder.with_name(f"{folder.name}-{name}") for name in ("copy", "back", "live"))
    started = time.perf_counter()
    copy_folder(engine, folder, copy)
    copied = time.perf_counter()
    sync_folder(copy)
    synced = time.perf_counter()
    copy_folder(engine, copy, back)
    store = BenchStore(engine, back)
    await _expect_row(store, 0)
    restored = time.perf_counter()
    store.copy_live(live)
    copied_live = time.perf_counter()
    await store.close()
    return {
        "snapshot_mb": sum(file.stat().st_blocks for file in folder.iterdir()) * 512 / 1e6,
        "snapshot_ms": (copied - started) * 1e3,
        "snapshot_synced_ms": (synced - started) * 1e3,
        "restore_ms": (restored - synced) * 1e3,
        "live_snapshot_ms": (copied_live - restored) * 1e3,
    }


async def write_until_killed(engine: str, folder: Path, rows: int, seconds: float) -> Figures:
    """Put new rows, 32 between syncs, and say on the standard output how many are acknowledged."""
    store = BenchStore(engine, folder)
    for first in itertools.count(rows, 32):
        await store.group([_put(number) for number in range(first, first + 32)])
        os.write(1, f"{first + 32}\n".encode())
    return {}


async def recover(engine: str, folder: Path, rows: int, seconds: float) -> Figures:
    """Open what a kill left; `rows` were acknowledged."""
    started = time.perf_counter()
    store = BenchStore(engine, folder)
    await _expect_row(store, 0)
    took = time.perf_counter() - started
    lost = 0
    for number in range(max(0, rows - 200_000), rows):
        lost += (await store.transact(_getter(number))) != value(number)
    beyond = sum([(await store.transact(_getter(number))) is not None for number in range(rows, rows + 64)])
    await store.close()
    return {"recovery_ms": took * 1e3, "lost_rows": lost, "unacknowledged_rows": beyond}


async def reopen(engine: str, folder: Path, rows: int, seconds: float) -> Figures:
    """Open what was closed in order, and read a row."""
    started = time.perf_counter()
    store = BenchStore(engine, folder)
    await _expect_row(store, 0)
    took = time.perf_counter() - started
    await store.close()
    return {"reopen_ms": took * 1e3}


WORKLOADS = {work.__name__: work for work in (load, puts, reads, queue, snapshot, write_until_killed, recover, reopen)}


def _getter(number: int) -> _Body:
    async def body(tx: Transaction) -> bytes | None:
        return await tx.get(key(number))

    return body


async def _expect_row(store: BenchStore, number: int) -> None:
    if await store.transact(_getter(number)) != value(number):
        raise SystemExit(f"row {number} is gone")


async def _rate(store: BenchStore, body: _Body, seconds: float) -> float:
    """Transactions a second, 32 at once."""
    count, started = 0, time.perf_counter()
    bodies = [body] * 32
    while (took := time.perf_counter() - started) < seconds:
        for result in await store.group(bodies):
            if not result:
                raise SystemExit("a read found nothing")
        count += 32
    return count / took


def _percentile(values: list[float], part: float) -> float:
    return sorted(values)[int(len(values) * part)] if values else 0.0


async def _timed_ms(work: Coroutine[Any, Any, None]) -> float:
    started = time.perf_counter()
    await work
    return (time.perf_counter() - started) * 1e3


def _memory(phase: str) -> Figures:
    """Resident memory in MB: what the process itself holds, and the files that it has mapped."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    own, files = (int(status[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile"))
    return {f"memory_{phase}_mb": own, f"mapped_{phase}_mb": files}
