"""`cloudlet down`."""

from __future__ import annotations

import argparse
import os
import signal
import time

from cloudlet.cli import EXIT_OK, add_port, admin, fail

_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)


def run(options: argparse.Namespace) -> int:
    running = admin.running_on(options.port)
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _SECONDS
    while running.alive():
        if time.monotonic() > deadline:
            return fail(f"process {running.pid} has not stopped within {_SECONDS:.0f} seconds")
        time.sleep(0.01)
    print("stopped")
    return EXIT_OK
