"""What processes print by themselves, read from pipes."""

from __future__ import annotations

import subprocess
import sys

RACE = """
import asyncio, os, threading
import uvloop
from cloudlet.services.lambda_.execution.process import _Output

broken, over = [], threading.Event()

def open_others():
    while not over.is_set():
        opened = os.memfd_create("other")
        try:
            os.close(opened)
        except OSError:
            broken.append(opened)

async def main():
    thread = threading.Thread(target=open_others)
    thread.start()
    for _ in range(20_000):
        reading, writing = os.pipe()
        output = _Output(lambda line: None)
        output.follow(reading)
        output.close()
        os.close(writing)
        await asyncio.sleep(0)
    over.set()
    thread.join()

uvloop.run(main())
assert not broken
"""


def test_to_close_a_pipe_closes_nothing_that_a_thread_has_opened_meanwhile() -> None:
    """In a process of its own: where it goes wrong, it ends the event loop, too."""
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
