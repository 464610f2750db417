"""What API Gateway measures of itself, for CloudWatch.

Developer guide, "Monitor CloudWatch metrics for HTTP APIs" and "Monitor WebSocket API execution with CloudWatch
metrics". What stages do is counted in memory, and added to the block's metrics each minute.
"""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

from cloudlet.core.block import Block
from cloudlet.core.metrics import Dimensions, Values, in_ended_minute
from cloudlet.services.apigateway.documents import Place

_MOST = 5000
"""Of what is measured between two reports; more is not."""
Name = tuple[str, str]


class _Key(NamedTuple):
    account: str
    region: str
    dimensions: Dimensions


class Meter:
    """What was measured of one stage, or of one of its routes, since the last report."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[Name, Values] = {}
        """By the name of the metric and its unit."""

    def add(self, name: str, unit: str, value: float, count: int = 1) -> None:
        values = self.values.get((name, unit))
        if values is None:
            values = self.values[name, unit] = Values()
        values.add(value, count)


_meters: WeakKeyDictionary[Block, dict[_Key, Meter]] = WeakKeyDictionary()


def meters(block: Block, place: Place, *dimensions: Dimensions) -> list[Meter]:
    """Return the meters of some dimensions; none where nothing is measured, or too much."""
    if not block.is_measured:
        return []
    known = _meters.get(block)
    if known is None:
        known = _meters[block] = {}
    result = []
    for each in dimensions:
        key = _Key(place.account, place.region, each)
        meter = known.get(key)
        if meter is None and len(known) < _MOST:
            meter = known[key] = Meter()
        if meter is not None:
            result.append(meter)
    return result


async def measure(block: Block) -> None:
    """Add what all stages did to the block's metrics."""
    at = in_ended_minute(block.clock.now())
    for key, meter in list(_meters.get(block, {}).items()):
        values, meter.values = meter.values, {}
        if not values:
            del _meters[block][key]
        for (name, unit), measured in values.items():
            block.metrics.include(key.account, key.region, name, key.dimensions, at, measured, unit)
