"""The statistics of a proxy of Service Connect, by the administration interface of Envoy.

Envoy's documentation, "Administration interface": `/stats` in JSON, with the buckets of histograms.
"""

from __future__ import annotations

import asyncio
import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from cloudlet.engines.keeper.protocol import open_folder

_TIMEOUT_SECONDS: Final = 2.0


class Statistics(NamedTuple):
    """Counters and gauges by their names, and how often histograms had which values."""

    counters: dict[str, int]
    histograms: dict[str, dict[float, int]]


class _Connection(HTTPConnection):
    """A connection to a socket in a folder."""

    def __init__(self, path: Path) -> None:
        super().__init__("envoy", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with open_folder(self._path) as short:
            self.sock.connect(short)


async def read(path: Path, pattern: str) -> Statistics:
    """Return the statistics whose names match a pattern.

    There are none from a proxy that does not answer.
    """
    try:
        answer = await asyncio.to_thread(_ask, path, pattern)
    except (OSError, HTTPException, msgspec.DecodeError):
        return Statistics({}, {})
    return parse(answer)


def _ask(path: Path, pattern: str) -> dict[str, Any]:
    connection = _Connection(path)
    try:
        query = urlencode({"format": "json", "histogram_buckets": "detailed", "filter": pattern})
        connection.request("GET", f"/stats?{query}")
        found: dict[str, Any] = msgspec.json.decode(connection.getresponse().read())
        return found
    finally:
        connection.close()


def parse(answer: dict[str, Any]) -> Statistics:
    """Return the statistics in Envoy's answer. A value of a wide bucket is taken for that of its middle."""
    counters: dict[str, int] = {}
    histograms: dict[str, dict[float, int]] = {}
    for each in answer.get("stats") or ():
        if "name" in each:
            counters[each["name"]] = int(each["value"])
        for detail in (each.get("histograms") or {}).get("details") or ():
            histograms[detail["name"]] = {
                bucket["lower_bound"] + (bucket["width"] / 2 if bucket["width"] >= 1 else 0): bucket["count"]
                for bucket in detail["totals"]
            }
    return Statistics(counters, histograms)
