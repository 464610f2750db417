"""Counters and histograms of an Envoy, read over its admin socket (Envoy's docs, "Administration interface")."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from cloudlet.engines.keeper.protocol import open_folder

_READ_SECONDS: Final = 10.0
_MERGE_SECONDS: Final = 0.05
"""The time in which threads hand over what they have put into histograms."""
_NOTHING: Final = "^$"
_GAUGE: Final = "_active"
"""The end of the names of gauges that tell how many there are."""


@dataclass(slots=True)
class Statistics:
    """Counters of an Envoy since it was started, or between two readings."""

    values: Counter[str] = field(default_factory=Counter)
    """Counters and gauges by their names."""
    histograms: dict[str, Counter[float]] = field(default_factory=dict)
    """Histograms by their names: numbers of values by the middles of buckets."""

    def __sub__(self, before: Statistics) -> Statistics:
        """Return what came since a reading, and gauges as they are. What is less than it was has begun anew."""
        counters = {name: value for name, value in before.values.items() if not name.endswith(_GAUGE)}
        return Statistics(
            _subtract(self.values, counters),
            {name: _subtract(now, before.histograms.get(name, Counter())) for name, now in self.histograms.items()},
        )

    def __add__(self, other: Statistics) -> Statistics:
        """Return what two have counted together."""
        histograms = {name: Counter(counts) for name, counts in self.histograms.items()}
        for name, counts in other.histograms.items():
            histograms.setdefault(name, Counter()).update(counts)
        return Statistics(self.values + other.values, histograms)


def _subtract(now: Mapping[Any, int], before: Mapping[Any, int]) -> Counter[Any]:
    if any(value < before.get(name, 0) for name, value in now.items()):
        before = {name: value for name, value in before.items() if value <= now.get(name, 0)}
    return Counter({name: grown for name, value in now.items() if (grown := value - before.get(name, 0))})


async def read(admin: Path, pattern: str) -> Statistics:
    """Return the statistics whose names match a regular expression. Raises OSError."""
    # The first request has histograms merged (`stats_flush_on_admin`); it does not wait for that.
    await asyncio.to_thread(_get, admin, f"/stats?filter={quote(_NOTHING)}")
    await asyncio.sleep(_MERGE_SECONDS)
    target = f"/stats?format=json&histogram_buckets=detailed&filter={quote(pattern)}"
    return await asyncio.to_thread(lambda: parse(_get(admin, target)))


class _Connection(HTTPConnection):
    """A connection to a socket in a folder."""

    def __init__(self, path: Path) -> None:
        super().__init__("admin", timeout=_READ_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with open_folder(self._path) as short:
            self.sock.connect(short)


def _get(admin: Path, target: str) -> bytes:
    connection = _Connection(admin)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        content = response.read()
    except HTTPException as error:
        raise OSError(f"an Envoy does not tell its statistics: {error!r}") from error
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        raise OSError(f"an Envoy does not tell its statistics: {content[:200]!r}")
    return content


def parse(content: bytes) -> Statistics:
    """Return the statistics of a page of Envoy's."""
    found = Statistics()
    for each in json.loads(content)["stats"] if content else ():
        if "histograms" in each:
            for histogram in each["histograms"].get("details") or ():
                found.histograms[histogram["name"]] = _parse_buckets(histogram["totals"])
        elif isinstance(each.get("value"), int):
            found.values[each["name"]] = each["value"]
    return found


def _parse_buckets(buckets: Iterable[Mapping[str, float]]) -> Counter[float]:
    """Return how often values were in the middle of each bucket."""
    return Counter({round(each["lower_bound"] + each["width"] / 2, 1): int(each["count"]) for each in buckets})
