"""`cloudlet snapshot`."""

from __future__ import annotations

import argparse
import sys
import time
from urllib.parse import quote

from cloudlet.cli import EXIT_OK, add_port, admin, fail

_ACTIONS = {"save": ("PUT", "saved"), "restore": ("POST", "restored"), "delete": ("DELETE", "deleted")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument(
        "action", choices=("save", "restore", "list", "delete"), help="what to do with copies of all data"
    )
    parser.add_argument("name", nargs="?", help="the snapshot's name (not for list)")


def run(options: argparse.Namespace) -> int:
    if bool(options.name) == (options.action == "list"):
        return fail(f"snapshot {options.action} takes {'no' if options.action == 'list' else 'a'} name", 2)
    running = admin.running_on(options.port)
    if options.action == "list":
        names = admin.call(running, "GET", "snapshots")["snapshots"]
        print(*names, sep="\n") if names else print("no snapshots", file=sys.stderr)
        return EXIT_OK
    method, done = _ACTIONS[options.action]
    started = time.perf_counter()
    admin.call(running, method, f"snapshots/{quote(options.name, safe='')}")
    print(f"{done} {options.name} in {(time.perf_counter() - started) * 1000:.0f} ms")
    return EXIT_OK
