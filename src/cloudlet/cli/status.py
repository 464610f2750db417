"""`cloudlet status`."""

from __future__ import annotations

import argparse
import json

from cloudlet.cli import EXIT_OK, add_port, admin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    running = admin.running_on(options.port)
    health = admin.call(running, "GET", "health")
    if options.json:
        print(json.dumps({"endpoint": running.endpoint, "data": running.data, "pid": running.pid, **health}))
        return EXIT_OK
    print(f"Cloudlet {health['version']} runs as process {running.pid}")
    print(f"  listening on  {running.endpoint}")
    print(f"  data          {running.data}")
    for name, state in health["services"].items():
        print(f"  {name:<12}  {state}")
    return EXIT_OK
