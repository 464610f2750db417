"""Processes of blocks, started and started again."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from cloudlet.edge.fleet import LaunchSpec, Patience, SupervisedBlock

ANSWERS = """
import contextlib, socket, sys, threading
def answer():
    listening = socket.socket(fileno=int(sys.argv[1]))
    listening.setblocking(True)
    while True:
        with listening.accept()[0] as connection, contextlib.suppress(OSError):
            connection.recv(4096)
            connection.send(b"HTTP/1.1 200 OK\\r\\nconnection: close\\r\\ncontent-length: 2\\r\\n\\r\\n{}")
threading.Thread(target=answer, daemon=True).start()
sys.stdin.read()
"""
FINISHES = """
import os, pathlib, signal, time
signal.sigwait([signal.SIGTERM])
os.close(int(sys.argv[1]))
time.sleep(1)
pathlib.Path(PATH).touch()
os._exit(0)
"""
SAYS_NOTHING = "import sys; sys.stdin.read()"
ENDS_AFTER_A_WHILE = "import time; time.sleep(1.05)"


def launcher(program: str, launched: Callable[[], None] = lambda: None) -> Callable[[str, Sequence[int]], LaunchSpec]:
    """Return how to launch a program, which gets the descriptor of the front door's socket."""

    def launch(_name: str, sockets: Sequence[int]) -> LaunchSpec:
        launched()
        return LaunchSpec((sys.executable, "-c", program, str(sockets[1])), {})

    return launch


def run(member: Callable[[], SupervisedBlock], test: Callable[[SupervisedBlock], Coroutine[Any, Any, None]]) -> None:
    """Run a test on a member of a fleet, and stop that."""

    async def main() -> None:
        made = member()
        try:
            await test(made)
        finally:
            await made.stop()

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.002)


async def process_of(member: SupervisedBlock) -> int:
    process = (await member.report({})).process
    assert process is not None
    return process


def test_a_block_for_which_there_is_no_socket_is_started_once_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[None] = []

    class Full(socket.socket):
        def bind(self, address: object) -> None:
            if self.family == socket.AF_UNIX:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().bind(address)  # type: ignore[arg-type]

    async def test(member: SupervisedBlock) -> None:
        with monkeypatch.context() as patches:
            patches.setattr("cloudlet.edge.fleet.socket.socket", Full)
            member.start()
            await until(lambda: member.state == "restarting" and member.restarts >= 2)
            assert launched == []
        await until(lambda: member.state == "running" and member.restarts >= 2)
        assert launched == [None]

    run(lambda: SupervisedBlock("sqs", tmp_path, launcher(ANSWERS, lambda: launched.append(None))), test)


def test_a_block_runs_once_it_answers(tmp_path: Path) -> None:
    async def test(member: SupervisedBlock) -> None:
        assert member.state == "available"
        member.start()
        await until(lambda: member.state == "starting")
        await until(lambda: member.state == "running")
        assert (member.restarts, member.ended) == (0, None)

    run(lambda: SupervisedBlock("sqs", tmp_path, launcher(ANSWERS)), test)


def test_a_block_that_does_not_answer_any_more_is_killed_and_started_again(tmp_path: Path) -> None:
    async def test(member: SupervisedBlock) -> None:
        member.start()
        await until(lambda: member.state == "running")
        process = await process_of(member)
        os.kill(process, signal.SIGSTOP)
        await until(lambda: member.state == "unresponsive")
        await until(lambda: member.state == "running")
        assert (member.restarts, member.ended) == (
            1,
            f"(process {process}) was killed: it did not answer for 0.5 seconds",
        )
        assert await process_of(member) != process

    run(lambda: SupervisedBlock("sqs", tmp_path, launcher(ANSWERS), patience=Patience(running=0.5)), test)


def test_a_block_that_answers_again_in_time_goes_on(tmp_path: Path) -> None:
    async def test(member: SupervisedBlock) -> None:
        member.start()
        await until(lambda: member.state == "running")
        process = await process_of(member)
        os.kill(process, signal.SIGSTOP)
        await until(lambda: member.state == "unresponsive")
        os.kill(process, signal.SIGCONT)
        await until(lambda: member.state == "running")
        assert (member.restarts, await process_of(member)) == (0, process)

    run(lambda: SupervisedBlock("sqs", tmp_path, launcher(ANSWERS), patience=Patience(running=10)), test)


def test_a_block_that_is_told_to_end_may_finish_what_it_does(tmp_path: Path) -> None:
    async def test(member: SupervisedBlock) -> None:
        member.start()
        await until(lambda: member.state == "running")
        await member.halt()
        assert (tmp_path / "finished").exists()
        assert (member.state, member.restarts, member.ended) == ("stopped", 0, None)

    masked = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])"
    finishes = FINISHES.replace("PATH", repr(str(tmp_path / "finished")))
    program = masked + ANSWERS.replace("sys.stdin.read()", finishes)
    run(lambda: SupervisedBlock("sqs", tmp_path, launcher(program), patience=Patience(running=0.3)), test)


def test_a_block_that_never_answers_is_killed_and_started_again(tmp_path: Path) -> None:
    async def test(member: SupervisedBlock) -> None:
        member.start()
        await until(lambda: member.restarts == 1)
        assert member.ended is not None
        assert member.ended.endswith(" was killed: it did not answer for 0.3 seconds")

    run(lambda: SupervisedBlock("sqs", tmp_path, launcher(SAYS_NOTHING), patience=Patience(starting=0.3)), test)


def test_a_block_that_cannot_start_is_tried_less_and_less_often_however_long_it_lives(tmp_path: Path) -> None:
    times: list[float] = []

    async def test(member: SupervisedBlock) -> None:
        member.start()
        await until(lambda: member.restarts == 2)
        ended = asyncio.get_running_loop().time()
        assert member.ended is not None
        assert member.ended.endswith(" ended with code 0 before it answered")
        await until(lambda: len(times) == 3)
        # The first pause was half as long.
        assert times[2] - ended > 0.15

    def launched() -> None:
        times.append(asyncio.get_running_loop().time())

    run(lambda: SupervisedBlock("sqs", tmp_path, launcher(ENDS_AFTER_A_WHILE, launched)), test)


def test_a_block_whose_port_is_taken_gets_another_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test(member: SupervisedBlock) -> None:
        assert member.port not in (0, taken)
        assert f"sqs is at port {member.port} this time: cannot listen on 127.0.0.1, port {taken}" in caplog.text

    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        run(lambda: SupervisedBlock("sqs", tmp_path, launcher(ANSWERS), port=taken), test)
