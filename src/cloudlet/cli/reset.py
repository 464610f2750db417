"""`cloudlet reset`."""

from __future__ import annotations

import argparse

from cloudlet.cli import EXIT_OK, add_port, admin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)


def run(options: argparse.Namespace) -> int:
    running = admin.running_on(options.port)
    admin.call(running, "POST", "reset")
    print("all state is removed; snapshots are kept")
    return EXIT_OK
