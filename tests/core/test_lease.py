"""The lease: of several who could deliver, one does."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from cloudlet.core import Transaction
from cloudlet.core.background.lease import MACHINE, Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.store import pack
from tests.in_process import MovableClock


@asynccontextmanager
async def _block(folder: Path, clock: MovableClock) -> AsyncIterator[Block]:
    """A block with a store, which delivers nothing itself."""
    cloud = Cloud(Config(data=folder, durable=False), TokenSealer(b"k" * 32), clock)
    try:
        yield cloud.block("sts")
    finally:
        await cloud.close()


async def _settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_another_waits_until_the_lease_has_ended(tmp_path: Path) -> None:
    async def check() -> None:
        clock = MovableClock()
        async with _block(tmp_path, clock) as block:
            await Lease(block).hold()
            other = asyncio.create_task(Lease(block).hold())
            await _settle()
            clock.advance(9)
            await _settle()
            assert not other.done()
            clock.advance(1)
            await _settle()
            assert other.done()

    asyncio.run(check())


def test_who_delivers_keeps_the_lease(tmp_path: Path) -> None:
    async def check() -> None:
        clock = MovableClock()
        async with _block(tmp_path, clock) as block:
            owner = Lease(block)
            await owner.hold()
            other = asyncio.create_task(Lease(block).hold())
            for _ in range(10):
                await _settle()
                clock.advance(5)
                await owner.hold()
            await _settle()
            assert not other.done()
            other.cancel()

    asyncio.run(check())


def test_it_is_known_whether_another_may_have_had_it(tmp_path: Path) -> None:
    async def check() -> None:
        clock = MovableClock()
        async with _block(tmp_path, clock) as block:
            owner, other, elsewhere = Lease(block), Lease(block), Lease(block, "something else")
            await owner.hold()
            turns = owner.turns
            for _ in range(3):
                clock.advance(20)
                await elsewhere.hold()
                await owner.hold()
            assert owner.turns == turns
            clock.advance(20)
            await other.hold()
            clock.advance(20)
            await owner.hold()
            assert owner.turns > turns
            turns = owner.turns
            clock.advance(20)
            await other.hold()
            await other.release()
            await owner.hold()
            assert owner.turns > turns

    asyncio.run(check())


def test_it_is_held_while_a_work_takes_longer_than_it_lasts(tmp_path: Path) -> None:
    async def check() -> None:
        clock = MovableClock()
        async with _block(tmp_path, clock) as block:
            owner = Lease(block)
            async with owner.during():
                waiting = asyncio.create_task(Lease(block).hold())
                for _ in range(10):
                    await _settle()
                    clock.advance(4)
                await _settle()
                assert not waiting.done()
            for _ in range(4):
                await _settle()
                clock.advance(4)
            await _settle()
            assert waiting.done()

    asyncio.run(check())


def test_one_delivers_where_the_clock_has_been_set_back(tmp_path: Path) -> None:
    async def check() -> None:
        clock = MovableClock()
        async with _block(tmp_path, clock) as block:
            owner, other = Lease(block), Lease(block)
            await owner.hold()
            clock.advance(-3600)
            await other.hold()
            waiting = asyncio.create_task(owner.hold())
            await _settle()
            assert not waiting.done()
            waiting.cancel()

    asyncio.run(check())


def test_a_lease_that_is_released_is_taken_at_once(tmp_path: Path) -> None:
    async def check() -> None:
        async with _block(tmp_path, MovableClock()) as block:
            owner = Lease(block)
            await owner.hold()
            await owner.release()
            await asyncio.wait_for(Lease(block).hold(), 5)

    asyncio.run(check())


def test_the_lease_of_a_process_that_is_gone_is_taken_at_once(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    async def check() -> None:
        clock = MovableClock()
        async with _block(tmp_path, clock) as block:
            await _leave(block, MACHINE, gone.pid, clock.now() + 9)
            await asyncio.wait_for(Lease(block).hold(), 5)

    asyncio.run(check())


@pytest.mark.parametrize("alive", [True, False])
def test_the_lease_of_a_process_of_another_machine_or_container_is_waited_for(tmp_path: Path, alive: bool) -> None:
    """In containers that have the machine's name (host networking), all are process 1."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    async def check() -> None:
        clock = MovableClock()
        async with _block(tmp_path, clock) as block:
            await _leave(block, f"{socket.gethostname()}/1", os.getpid() if alive else gone.pid, clock.now() + 9)
            other = asyncio.create_task(Lease(block).hold())
            await _settle()
            assert not other.done()
            for _ in range(5):
                clock.advance(2)
                await _settle()
            assert other.done()

    asyncio.run(check())


@pytest.mark.parametrize("apart", [-50.0, -2.0, 2.0, 50.0])
def test_clocks_of_two_machines_may_be_apart(tmp_path: Path, apart: float) -> None:
    """`apart` is how far the other machine's clock is ahead of this one's."""

    async def check() -> None:
        clock = MovableClock()
        async with _block(tmp_path, clock) as block:
            await _leave(block, "elsewhere/1", 1, clock.now() + apart + 10)
            waiting = asyncio.create_task(Lease(block).hold())
            for _ in range(5):
                await _leave(block, "elsewhere/1", 1, clock.now() + apart + 10)
                await _settle()
                for _ in range(3):
                    clock.advance(2)
                    await _settle()
                assert not waiting.done()
            for _ in range(5):
                clock.advance(2)
                await _settle()
            assert waiting.done()

    asyncio.run(check())


def test_what_another_machine_has_left_long_ago_is_taken_at_once(tmp_path: Path) -> None:
    async def check() -> None:
        clock = MovableClock()
        async with _block(tmp_path, clock) as block:
            await _leave(block, "elsewhere/1", 1, clock.now() - 61)
            await asyncio.wait_for(Lease(block).hold(), 5)

    asyncio.run(check())


async def _leave(block: Block, machine: str, process: int, ends: float) -> None:
    """Have another process hold the lease."""

    async def leave(tx: Transaction) -> None:
        tx.put(pack(("delivery-lease",)), msgspec.msgpack.encode(((machine, process, "token"), ends)))

    await block.store.transact(leave)
