"""`cloudlet reset`."""

from __future__ import annotations

import argparse
import sys

from cloudlet.cli import EXIT_OK, EXIT_USAGE, CommandError, add_port, admin, fail
from cloudlet.edge.instances import Instance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def run(options: argparse.Namespace) -> int:
    running = admin.running_on(options.port)
    if not options.yes and not _confirmed(running):
        return fail("nothing is removed")
    admin.call(running, "POST", "reset")
    print(f"all state in {running.data} is removed; snapshots are kept")
    return EXIT_OK


def _confirmed(running: Instance) -> bool:
    """Ask whether to go on. Raises CommandError where nobody can be asked."""
    removed = f"all state of the Cloudlet on port {running.port}, in {running.data}"
    if not sys.stdin.isatty():
        raise CommandError(f"reset removes {removed}: say --yes where there is no terminal to ask", EXIT_USAGE)
    print(f"This removes {removed}. Snapshots are kept. Go on? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
