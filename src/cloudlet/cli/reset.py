"""`cloudlet reset`."""

from __future__ import annotations

import argparse

from cloudlet.cli import EXIT_NOT_RUNNING, EXIT_OK, add_port, admin, fail
from cloudlet.edge.running import find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)


def run(options: argparse.Namespace) -> int:
    running = find(options.port)
    if running is None:
        return fail(f"no Cloudlet runs on port {options.port}", EXIT_NOT_RUNNING)
    try:
        admin.call(running, "POST", "reset")
    except admin.AdminError as error:
        return fail(str(error))
    print("all state is removed; snapshots are kept")
    return EXIT_OK
