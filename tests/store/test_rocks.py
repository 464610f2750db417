"""RocksDB as the ordered map below the embedded engine."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from cloudlet.store.embedded import EmbeddedStore
from cloudlet.store.engine_states import IN_THREAD
from cloudlet.store.interface import StoreError, Transaction
from cloudlet.store.rocks import OrderedMap, Record


def test_what_is_opened_again_has_the_same_cache(tmp_path: Path) -> None:
    capacities = []
    for _ in range(2):
        rows = OrderedMap(tmp_path)
        capacities.append(rows._db.property_value("rocksdb.block-cache-capacity"))
        rows.write({b"key": b"value"}, [])
        rows.close()
    assert capacities[0] == capacities[1]


def test_one_that_finds_no_room_when_it_is_opened_says_so_and_can_be_opened_later(tmp_path: Path) -> None:
    for step in (write_and_crash, open_without_room_and_with_it):
        command = f"from tests.store.test_rocks import *; {step.__name__}(Path({str(tmp_path)!r}))"
        assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


def test_many_stores_of_one_process_are_not_flushed_for_a_few_rows(tmp_path: Path) -> None:
    stores = [OrderedMap(tmp_path / str(number)) for number in range(20)]
    for turn in range(20):
        for store in stores:
            store.write({b"%d" % turn: b"value"}, [])
    for store in stores:
        assert (store._db.property_int_value("rocksdb.num-entries-active-mem-table") or 0) >= 20
        store.close()


def test_what_rocksdb_tells_of_its_work_does_not_fill_the_disk(tmp_path: Path) -> None:
    store = OrderedMap(tmp_path)
    told = tmp_path / "LOG"
    rolled = False
    while not rolled:
        before = told.stat().st_size
        store.write({b"key": b"value"}, [])
        store._db.flush(True)
        rolled = told.stat().st_size < before
        assert before < 2 << 20
    store.close()


@pytest.mark.parametrize("at_once", [True, False])
def test_what_was_deleted_is_flushed_and_leaves_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    keys = [b"%03d" % number for number in range(200)]

    async def put(tx: Transaction) -> None:
        for key in keys:
            tx.put(key, b"value")

    async def delete(tx: Transaction) -> None:
        if at_once:
            tx.delete_range(keys[0], keys[-1] + b"\x00")
            return
        for key in keys:
            tx.delete(key)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        later = loop.call_later
        # A minute is a moment.
        monkeypatch.setattr(loop, "call_later", lambda delay, *others: later(delay / 1000, *others))
        store = EmbeddedStore(tmp_path)
        await store.transact(put)
        await store.transact(delete)
        end = time.monotonic() + 20
        while not list(tmp_path.glob("*.sst")):
            assert time.monotonic() < end
            await asyncio.sleep(1)
        await store.close()

    asyncio.run(main())


def test_a_read_does_not_wait_for_what_is_written_after_it(tmp_path: Path) -> None:
    """However large that is, or how often one write comes after the other."""
    durable: list[str] = []
    told: list[list[str]] = []

    async def put(tx: Transaction) -> None:
        tx.put(b"key", bytes(2 << 20))

    async def get(tx: Transaction) -> None:
        await tx.get(b"key")

    async def main() -> None:
        store = EmbeddedStore(tmp_path)
        loop = asyncio.get_running_loop()
        is_over: asyncio.Future[None] = loop.create_future()

        def first_is_durable(_: None, error: BaseException | None) -> None:
            durable.append("first")
            store.submit(put, lambda _, error: durable.append("second"))

        def tell() -> None:
            told.append(durable.copy())
            is_over.set_result(None)

        def is_read(_: None, error: BaseException | None) -> None:
            loop.call_soon(tell)

        store.submit(put, first_is_durable)
        for _ in range(10):
            await asyncio.sleep(0)
            if store._commits == IN_THREAD:
                break
        assert store._commits == IN_THREAD, "so much is made durable in a thread"
        store.submit(get, is_read)
        await is_over
        await store.close()

    asyncio.run(main())
    assert told == [["first"]]


@pytest.mark.interpreted
def test_what_is_being_synchronised_is_waited_for_before_a_store_that_failed_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = threading.Event()
    sync = OrderedMap.sync

    def slow(rows: OrderedMap, record: Record) -> None:
        written.wait()
        sync(rows, record)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def put(tx: Transaction) -> None:
        tx.put(b"key", b"value")

    async def clear(tx: Transaction) -> None:
        tx.delete_range(b"other", b"others")

    async def get(tx: Transaction) -> bytes | None:
        return await tx.get(b"key")

    async def main() -> None:
        store = EmbeddedStore(tmp_path)
        store._waits_inline = False
        with monkeypatch.context() as patches:
            patches.setattr(OrderedMap, "sync", slow)
            first = asyncio.create_task(store.transact(put))
            while store._commits != IN_THREAD:
                await asyncio.sleep(0)
            with monkeypatch.context() as full:
                full.setattr(OrderedMap, "write", fail)
                with pytest.raises(StoreError):
                    await store.transact(clear)
            before = store._map
            with pytest.raises(StoreError):
                await store.transact(get)
            assert store._map is before
            written.set()
            await first
        assert await store.transact(get) == b"value"
        assert store._map is not before
        await store.close()

    asyncio.run(main())


def test_commits_are_remembered_for_no_longer_than_somebody_could_conflict_with_them(tmp_path: Path) -> None:
    """Though some transaction is under way at any time."""

    async def main() -> None:
        store = EmbeddedStore(tmp_path)
        last: tuple[asyncio.Event, asyncio.Task[None]] | None = None

        async def put(tx: Transaction) -> None:
            tx.put(b"other", b"value")

        for _ in range(50):
            goes_on = asyncio.Event()

            async def wait(tx: Transaction, goes_on: asyncio.Event = goes_on) -> None:
                await tx.get(b"key")
                await goes_on.wait()

            waiting = asyncio.create_task(store.transact(wait))
            await asyncio.sleep(0)
            await store.transact(put)
            if last is not None:
                last[0].set()
                await last[1]
            last = goes_on, waiting
            assert len(store._history._commits) <= 2
        assert last is not None
        last[0].set()
        await last[1]
        assert len(store._history._commits) == 0
        await store.close()

    asyncio.run(main())


@pytest.mark.interpreted
def test_what_began_before_a_write_failed_is_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has seen what is not on disk."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async def put(tx: Transaction) -> None:
        tx.put(b"key", b"value")

    async def main() -> None:
        store = EmbeddedStore(tmp_path)
        goes_on = asyncio.Event()

        async def read(tx: Transaction) -> bytes | None:
            value = await tx.get(b"key")
            await goes_on.wait()
            return value

        writing = asyncio.create_task(store.transact(put))
        reading = asyncio.create_task(store.transact(read))
        with monkeypatch.context() as patches:
            patches.setattr(OrderedMap, "sync", fail)
            with pytest.raises(StoreError):
                await writing
        goes_on.set()
        with pytest.raises(StoreError):
            await reading
        await store.close()

    asyncio.run(main())


@pytest.mark.interpreted
def test_one_that_cannot_be_opened_again_is_not_tried_with_every_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    tries: list[Path] = []

    def fail(*given: object, **_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def unable(folder: Path, **_: object) -> None:
        tries.append(folder)
        fail()

    async def put(tx: Transaction) -> None:
        tx.put(b"key", b"value")

    async def main() -> None:
        store = EmbeddedStore(tmp_path)
        clock = SimpleNamespace(monotonic=lambda: now[0], perf_counter=time.perf_counter)
        monkeypatch.setattr("cloudlet.store.embedded.time", clock)
        with monkeypatch.context() as patches:
            patches.setattr("cloudlet.store.rocks.OrderedMap.write", fail)
            patches.setattr("cloudlet.store.embedded.OrderedMap", unable)
            for _ in range(5):
                with pytest.raises(StoreError):
                    await store.transact(put)
            assert len(tries) == 1
        now[0] += 1
        await store.transact(put)
        await store.close()

    asyncio.run(main())


def test_one_that_was_closed_leaves_the_descriptors_of_others_alone(tmp_path: Path) -> None:
    """A store that cannot be opened again is closed with each attempt."""
    rows = OrderedMap(tmp_path)
    rows.write({b"key": b"value"}, [])
    rows.sync(rows.unsynced())
    assert rows._log is not None
    rows._log.close(remove=False)
    with (tmp_path / "other").open("wb") as other:
        with suppress(Exception):
            rows.close()
        other.write(b"written")


def write_and_crash(folder: Path) -> None:
    rows = OrderedMap(folder)
    rows.write({b"key": os.urandom(1 << 20)}, [])
    rows.sync(rows.unsynced())
    os._exit(0)


def open_without_room_and_with_it(folder: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, most))
    try:
        OrderedMap(folder)
    except StoreError:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        assert len(OrderedMap(folder).get(b"key") or b"") == 1 << 20
    else:
        raise AssertionError("there was room")


ROWS = {b"%04d" % number: b"value %04d " % number + bytes(range(100)) for number in range(2000)}


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[OrderedMap]:
    """A map of ROWS with one byte flipped in the middle of its table."""
    rows = OrderedMap(tmp_path)
    rows.write(dict(ROWS), [])
    rows.close()
    (table,) = tmp_path.glob("*.sst")
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.write_bytes(content)
    rows = OrderedMap(tmp_path)
    yield rows
    rows.close()


def test_a_scan_that_meets_a_damaged_row_fails_instead_of_ending_there(damaged: OrderedMap) -> None:
    first, stop = damaged.scan(b"", b"\xff", 100, 0)
    assert (first, stop) == (list(ROWS.items())[:100], b"0100")
    with pytest.raises(StoreError, match="cannot read"):
        damaged.scan(b"", b"\xff", 10_000, 0)
    with pytest.raises(StoreError, match="cannot read"):
        damaged.scan_reverse(b"", 10_000, b"\xf0")
    assert damaged.scan_reverse(b"", 2, b"\xf0") == list(ROWS.items())[:-3:-1]


def test_a_damaged_row_is_an_error_and_all_others_are_read(damaged: OrderedMap) -> None:
    unreadable = 0
    for key, value in ROWS.items():
        try:
            assert damaged.get(key) == value
        except StoreError:
            unreadable += 1
    assert 0 < unreadable < 200


def test_the_room_of_cleared_ranges_comes_back(tmp_path: Path) -> None:
    rows = OrderedMap(tmp_path)
    for first in range(0, 8000, 1000):
        rows.write({b"%06d" % number: os.urandom(2000) for number in range(first, first + 1000)}, [])
        rows.sync(rows.unsynced())
    rows.flush_soon()
    kept = {b"007999": rows.get(b"007999")}
    rows.write({}, [(b"000000", b"007999")])
    rows.flush_soon()
    rows.close()
    assert sum(file.stat().st_size for file in tmp_path.glob("*.sst")) < 100_000
    rows = OrderedMap(tmp_path)
    assert dict(rows.scan(b"", b"\xff", 10, 0)[0]) == kept
    rows.close()
