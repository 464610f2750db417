"""`cloudlet down`."""

from __future__ import annotations

import argparse

from cloudlet.cli import EXIT_OK, add_port, admin, fail
from cloudlet.edge.instances import stop

_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)


def run(options: argparse.Namespace) -> int:
    running = admin.running_on(options.port)
    if not stop(running, _SECONDS):
        return fail(f"process {running.pid} has not stopped within {_SECONDS:.0f} seconds")
    print("stopped")
    return EXIT_OK
