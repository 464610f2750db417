"""`cloudlet block`."""

from __future__ import annotations

import argparse

from cloudlet.cli import EXIT_OK, add_port, admin

_DONE = {"start": "started", "stop": "stopped", "restart": "started again"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("action", choices=tuple(_DONE), help="what to do with the block")
    parser.add_argument("name", help="the block: sqs, sns, …")


def run(options: argparse.Namespace) -> int:
    running = admin.running_on(options.port)
    admin.call(running, "POST", f"blocks/{options.name}/{options.action}")
    print(f"{options.name} is {_DONE[options.action]}")
    return EXIT_OK
