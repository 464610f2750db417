"""Child processes: started whatever other threads are at, waited for, ended, and talked to."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
import uvloop

from cloudlet.engines.children import Child, start_piped

Run = Callable[[Coroutine[Any, Any, None]], None]
_WAITER = [sys.executable, "-c", "import signal; signal.pause()"]
_ECHO = [sys.executable, "-c", "import os\nwhile text := os.read(0, 65536): os.write(1, text.upper())"]
_HOLDER = """
import asyncio, os, sys, threading, uvloop
from cloudlet.engines.children import Child

class Held:
    \"\"\"Can be dropped by the process that made it only.\"\"\"

    def __init__(self):
        self.process = os.getpid()

    def __del__(self):
        if os.getpid() != self.process:
            threading.Event().wait()

def hold():
    own.held = Held()
    is_held.set()
    is_over.wait()

async def main():
    print(await Child([sys.executable, "-c", "raise SystemExit(3)"]).wait())

own, is_held, is_over = threading.local(), threading.Event(), threading.Event()
threading.Thread(target=hold).start()
is_held.wait()
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
is_over.set()
"""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine, with each kind of event loop."""

    def in_loop(work: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(work, 60))

    return in_loop


def test_it_starts_though_another_thread_has_what_a_child_cannot_drop() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert holder.communicate(timeout=60)[0] == "3\n"
    finally:
        # With what it has started, should that wait for ever.
        with suppress(ProcessLookupError):
            os.killpg(holder.pid, signal.SIGKILL)


def test_its_status_is_known_once_it_has_ended(run: Run) -> None:
    async def main() -> None:
        child = Child(_WAITER)
        assert child.status is None
        waiting = [asyncio.create_task(child.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        # Who gives up does not take it from the others.
        waiting.pop().cancel()
        child.kill()
        assert await asyncio.gather(*waiting) == [-signal.SIGKILL, -signal.SIGKILL]
        assert child.status == await child.wait() == -signal.SIGKILL
        child.terminate()

    run(main())


def test_its_input_is_open_while_it_runs(run: Run) -> None:
    """As it is for blocks in processes of their own, which end when it does."""
    has_ended = "import select; raise SystemExit(len(select.select([0], [], [], 0)[0]))"

    async def main() -> None:
        assert await Child([sys.executable, "-c", has_ended], stdin=subprocess.PIPE).wait() == 0
        assert await Child([sys.executable, "-c", has_ended], stdin=subprocess.DEVNULL).wait() == 1

    run(main())


def test_what_cannot_be_started_is_an_error(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            Child(["/no/such/program"])
        with pytest.raises(FileNotFoundError):
            await start_piped(["/no/such/program"])

    run(main())


def test_it_is_talked_to(run: Run) -> None:
    async def main() -> None:
        child, source, sink = await start_piped(_ECHO)
        for text in (b"first\n", b"x" * 40_000 + b"\n"):
            sink.write(text)
            await sink.drain()
            assert await source.readline() == text.upper()
        sink.close()
        assert await child.wait() == 0

    run(main())


def test_its_last_words_are_heard_after_its_end(run: Run) -> None:
    async def main() -> None:
        child, source, sink = await start_piped([sys.executable, "-c", "print('over')"])
        assert await child.wait() == 0
        assert await source.read() == b"over\n"
        sink.close()

    run(main())


def test_that_it_was_killed_shows_to_who_waits_for_an_answer(run: Run) -> None:
    async def main() -> None:
        child, source, sink = await start_piped(_WAITER)
        sink.write(b"unread\n")
        child.kill()
        with suppress(ConnectionError):
            assert await source.readline() == b""
        assert await child.wait() == -signal.SIGKILL
        sink.close()

    run(main())
