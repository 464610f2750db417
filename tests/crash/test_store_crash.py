"""Killed at any point, the store keeps every acknowledged transaction whole, and no part of any other.

Each round starts a child that commits numbered transactions and reports each acknowledgement through a pipe, kills it
with SIGKILL after a random time, opens the store again and looks. Transaction n of client c writes n to two keys,
appends one row and adds to a counter: all or none of it must be there, for every n up to some number not below the
last acknowledged.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import struct
import time
from multiprocessing.connection import Connection
from pathlib import Path

from cloudlet.store import Subspace, Transaction
from cloudlet.store.embedded import EmbeddedStore

ROUNDS = 200
CLIENTS = 4
ROWS = Subspace("row")
LEFT = Subspace("left")
RIGHT = Subspace("right")
COUNTER = Subspace("counter")


async def commit(store: EmbeddedStore, client: int, number: int) -> None:
    async def body(tx: Transaction) -> None:
        value = str(number).encode()
        tx.put(LEFT.key(client), value)
        tx.put(ROWS.key(client, number), os.urandom(random.randrange(2000)))
        if number > 3:
            tx.delete(ROWS.key(client, number - 3))
        tx.add(COUNTER.key(client), 1)
        tx.put(RIGHT.key(client), value)

    await store.transact(body)


async def write_until_killed(folder: Path, firsts: list[int], report: int) -> None:
    store = EmbeddedStore(folder)

    async def client(number: int) -> None:
        at = firsts[number]
        while True:
            await commit(store, number, at)
            os.write(report, struct.pack(">BQ", number, at))
            at += 1

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))


def run_until_killed(folder: Path, firsts: list[int], report: Connection) -> None:
    asyncio.run(write_until_killed(folder, firsts, report.fileno()))


async def check(folder: Path, acknowledged: list[int]) -> list[int]:
    store = EmbeddedStore(folder)
    firsts = []

    async def read(tx: Transaction) -> None:
        for client in range(CLIENTS):
            last = int(await tx.get(LEFT.key(client)) or b"0")
            assert last >= acknowledged[client], "an acknowledged transaction is lost"
            assert int(await tx.get(RIGHT.key(client)) or b"0") == last, "a transaction is torn"
            assert await tx.counter(COUNTER.key(client)) == last
            rows = await tx.range(ROWS.sub(client).begin, ROWS.sub(client).end, limit=10)
            assert [ROWS.unpack(key)[1] for key, _ in rows] == list(range(max(1, last - 2), last + 1))
            firsts.append(last + 1)

    await store.transact(read)
    await store.close()
    return firsts


def test_nothing_acknowledged_is_lost_and_nothing_is_torn(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    acknowledged = [0] * CLIENTS
    firsts = [1] * CLIENTS
    total = 0
    # Not forked from here: RocksDB's threads, which other tests have started, would be missing in the child.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["__main__", __name__])
    for _ in range(ROUNDS):
        receive, report = processes.Pipe(duplex=False)
        child = processes.Process(target=run_until_killed, args=(folder, firsts, report))
        child.start()
        report.close()
        # Now and then it is killed while it starts, recovering what the one before left.
        if random.random() < 0.9:
            receive.poll(10)
        time.sleep(random.uniform(0, 0.03))
        child.kill()
        child.join()
        with os.fdopen(os.dup(receive.fileno()), "rb") as pipe:
            seen = pipe.read()
        receive.close()
        for client, number in struct.iter_unpack(">BQ", seen[: len(seen) // 9 * 9]):
            acknowledged[client] = number
            total += 1
        firsts = asyncio.run(check(folder, acknowledged))
    assert total > ROUNDS, "the children must get to acknowledge something"
