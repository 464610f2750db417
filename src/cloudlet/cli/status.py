"""`cloudlet status`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from cloudlet.cli import EXIT_OK, add_port, admin, clock
from cloudlet.engines.network import nftables

_KIB = 1024
_HEADINGS = ("block", "state", "process", "port", "restarts", "memory", "data")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("--json", action="store_true", help="print JSON; memory and data are in bytes")


def run(options: argparse.Namespace) -> int:
    running = admin.running_on(options.port)
    health = admin.call(running, "GET", "health")
    blocks = admin.call(running, "GET", "blocks")["blocks"]
    time = admin.call(running, "GET", "clock")
    if options.json:
        networks = {"networks": {"is_filtered": nftables.is_available()}}
        place = {"endpoint": running.public or running.endpoint, "data": running.data, "pid": running.pid}
        print(json.dumps({**place, **health, "clock": time, "blocks": blocks, **networks}))
        return EXIT_OK
    print(f"Cloudlet {health['version']} runs as process {running.pid}")
    print(f"  listening on  {running.endpoint}")
    if running.public is not None:
        print(f"  endpoint      {running.public}")
    print(f"  data          {running.data}")
    if clock.is_moved(time["frozen"], time["ahead"]):
        print(f"  clock         {clock.shown(**time)}")
    print()
    if not nftables.is_available():
        print(
            "  networks      security groups, network ACLs and routes are not enforced: libnftables is not installed\n"
        )
    rows = [_HEADINGS, *(_row(block) for block in blocks)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    ended = [f"  {block['name']} {block['ended']}" for block in blocks if block["ended"]]
    if ended:
        print("\n  how blocks ended last, before they were started again:")
        print(*ended, sep="\n")
    return EXIT_OK


def _row(block: dict[str, Any]) -> tuple[str, ...]:
    numbers = (block["process"], block["port"], block["restarts"] if block["process"] else None)
    shown = tuple("-" if number is None else str(number) for number in numbers)
    return (block["name"], block["state"], *shown, _size(block["memory"]), _size(block["data"]))


def _size(count: int | None) -> str:
    if count is None:
        return "-"
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < _KIB:
            break
        size, unit = size / _KIB, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
