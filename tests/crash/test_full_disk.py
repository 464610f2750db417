"""A disk that is full gives an error, loses nothing, and is no reason to start anew once there is room."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
from multiprocessing.connection import Connection
from pathlib import Path

from cloudlet.store import StoreError, Transaction
from cloudlet.store.embedded import EmbeddedStore


async def fill(folder: Path) -> tuple[int, int]:
    """Write until the disk is full, then with room again; return how many writes were acknowledged each time."""
    store = EmbeddedStore(folder)

    async def put(number: int) -> None:
        async def body(tx: Transaction) -> None:
            tx.put(b"k%06d" % number, os.urandom(10_000))

        await store.transact(body)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, hard))
    acknowledged = 0
    try:
        while True:
            await put(acknowledged)
            acknowledged += 1
    except StoreError:
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for number in range(acknowledged, acknowledged + 20):
        await put(number)
    await store.close()
    return acknowledged, acknowledged + 20


async def count(folder: Path) -> list[bytes]:
    store = EmbeddedStore(folder)

    async def body(tx: Transaction) -> list[bytes]:
        return [key for key, _ in await tx.range(b"", b"\xff", limit=10_000)]

    keys = await store.transact(body)
    await store.close()
    return keys


def report(folder: Path, report: Connection) -> None:
    report.send(asyncio.run(fill(folder)))


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    # In a process of its own, since the limit is on every file that it writes; started anew, as forking would leave
    # RocksDB's threads behind.
    processes = multiprocessing.get_context("spawn")
    receive, send = processes.Pipe(duplex=False)
    child = processes.Process(target=report, args=(tmp_path / "store", send))
    child.start()
    send.close()
    first, last = receive.recv()
    child.join()
    assert first > 100
    assert asyncio.run(count(tmp_path / "store")) == [b"k%06d" % number for number in range(last)]
