"""`cloudlet why`."""

from __future__ import annotations

import argparse
import sys
from urllib.parse import quote

from cloudlet.cli import EXIT_OK, add_port, admin
from cloudlet.core.aws import iso8601


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument(
        "request_id",
        metavar="REQUEST-ID",
        nargs="?",
        help="the id of a denied request, which clients show with the error; without it, the last denials are listed",
    )


def run(options: argparse.Namespace) -> int:
    running = admin.running_on(options.port)
    if options.request_id:
        print(admin.call(running, "GET", f"denials/{quote(options.request_id, safe='')}")["explanation"])
        return EXIT_OK
    denials = admin.call(running, "GET", "denials")["denials"]
    for denial in denials:
        print(denial["request_id"], iso8601.second(int(denial["at"])), denial["message"])
    if not denials:
        print("no denials", file=sys.stderr)
    return EXIT_OK
