"""What identifies a metric: its namespace, its name and its dimensions, in an account and a region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from cloudlet.store import pack

UNITS = (
    "None",
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
)
UNIT_CODES = {unit: code for code, unit in enumerate(UNITS)}

Dimensions = tuple[tuple[str, str], ...]
"""Names and values, in the order of names."""


class Metric(NamedTuple):
    """A metric."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions

    @property
    def key(self) -> bytes:
        """Itself as part of a key."""
        return _packed(self)[0]

    @property
    def id(self) -> bytes:
        """What its data are kept under: 12 bytes that no other metric has."""
        return _packed(self)[1]

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows metrics."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions]
        return {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}


@lru_cache(maxsize=10_000)
def _packed(metric: Metric) -> tuple[bytes, bytes]:
    packed = pack(tuple(metric))
    return packed, blake2b(packed, digest_size=12).digest()


def dimensions_of(given: Iterable[Mapping[str, Any]] | None) -> Dimensions:
    """Return the dimensions of a request."""
    return tuple(sorted([(one["Name"], one["Value"]) for one in given])) if given else ()
