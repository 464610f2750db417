"""What a block measures of itself, for CloudWatch, as AWS's services do: counted in memory, sent each minute.

CloudWatch gets it through its API, off the way of requests. While it is down, what was measured waits, in memory: a
crash loses what was not sent.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.store import Transaction, pack

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.core")

PERIOD_SECONDS: Final = 60
_MOST_SERIES: Final = 20_000
"""Of all accounts together, between two reports; more are dropped."""
_MOST_METERS: Final = 10_000
"""What more resources do between two reports is not measured."""
MAX_DISTINCT_VALUES: Final = 150
"""So many different values of a metric are kept apart; it is what PutMetricData takes."""
_MUCH: Final = _MOST_SERIES // 4

Dimensions = tuple[tuple[str, str], ...]


class Series(NamedTuple):
    """One metric of one resource in one minute."""

    account: str
    region: str
    name: str
    unit: str
    dimensions: Dimensions
    minute: int
    """Its beginning, in seconds since the epoch."""


class Values:
    """What was measured of a series."""

    __slots__ = ("count", "counts", "least", "most", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.least = float("inf")
        self.most = float("-inf")
        self.counts: dict[float, int] | None = {}
        """How often each value was; None once there were too many different ones."""

    @classmethod
    def ones(cls, count: int) -> Values:
        """Return the value 1, so many times."""
        values = cls()
        if count:
            values.add(1.0, count)
        return values

    def add(self, value: float, count: int = 1) -> None:
        self.count += count
        self.sum += value * count
        if value < self.least:
            self.least = value
        if value > self.most:
            self.most = value
        counts = self.counts
        if counts is not None:
            counts[value] = counts.get(value, 0) + count
            if len(counts) > MAX_DISTINCT_VALUES:
                self.counts = None

    def datum(self, series: Series) -> dict[str, Any]:
        """Return them as PutMetricData takes them."""
        datum: dict[str, Any] = {
            "MetricName": series.name,
            "Unit": series.unit,
            "Timestamp": series.minute,
            "Dimensions": [{"Name": name, "Value": value} for name, value in series.dimensions],
        }
        if self.counts is not None:
            datum["Values"] = list(self.counts)
            datum["Counts"] = [float(count) for count in self.counts.values()]
        else:
            datum["StatisticValues"] = {
                "SampleCount": float(self.count),
                "Sum": self.sum,
                "Minimum": self.least,
                "Maximum": self.most,
            }
        return datum


class Meter:
    """What was measured of a resource, by its dimensions, since the last report."""

    __slots__ = ("counts", "values")

    def __init__(self) -> None:
        self.counts: defaultdict[str, int] = defaultdict(int)
        """How often the value 1 was measured, by metrics that have no other."""
        self.values: dict[tuple[str, str], Values] = {}
        """By the name of the metric and its unit."""

    def add(self, name: str, unit: str, value: float, count: int = 1) -> None:
        values = self.values.get((name, unit))
        if values is None:
            values = self.values[name, unit] = Values()
        values.add(value, count)


class Metrics:
    """The measurements of one block, in one namespace, that are not sent yet."""

    def __init__(self, namespace: str, *, is_wanted: bool = True) -> None:
        self.namespace = namespace
        self.is_wanted = is_wanted
        """Whether the block measures itself."""
        self._series: dict[Series, Values] = {}
        self._dropped = 0
        self._waits = False
        """Whether what was taken out last could not be sent, and was put in again."""
        self._meters: dict[tuple[str, str, Dimensions], Meter] = {}
        self.noted: dict[Any, int] = {}
        """What the block's observer has noted and not counted yet, with how often: to count many at once is quicker. It
        is bounded by the block itself."""

    def add(
        self,
        account: str,
        region: str,
        name: str,
        dimensions: Dimensions,
        now: float,
        value: float = 1.0,
        *,
        unit: str = "Count",
        count: int = 1,
    ) -> None:
        """Note a value that was measured `count` times; `now` is in seconds since the epoch."""
        values = self._of(Series(account, region, name, unit, dimensions, _minute(now)))
        if values is not None:
            values.add(value, count)

    def include(
        self, account: str, region: str, name: str, dimensions: Dimensions, now: float, values: Values, unit: str
    ) -> None:
        """Note all values of a metric that a block has gathered itself; they are not to change any more."""
        series = Series(account, region, name, unit, dimensions, _minute(now))
        if values.count and self._of(series) is not None:
            self._series[series] = values

    def meter(self, account: str, region: str, dimensions: Dimensions) -> Meter | None:
        """Return what measures a resource that is often used; None where too many are measured."""
        meter = self._meters.get((account, region, dimensions))
        if meter is None and len(self._meters) < _MOST_METERS:
            meter = self._meters[account, region, dimensions] = Meter()
        return meter

    def read_meters(self, at: float) -> None:
        """Note what all meters have measured, as of a time; those that have measured nothing go."""
        for (account, region, dimensions), meter in list(self._meters.items()):
            counts, meter.counts = meter.counts, defaultdict(int)
            values, meter.values = meter.values, {}
            if not counts and not values:
                del self._meters[account, region, dimensions]
            for name, count in counts.items():
                self.include(account, region, name, dimensions, at, Values.ones(count), "Count")
            for (name, unit), measured in values.items():
                self.include(account, region, name, dimensions, at, measured, unit)

    def _of(self, series: Series) -> Values | None:
        values = self._series.get(series)
        if values is None:
            if len(self._series) >= _MOST_SERIES:
                self._dropped += 1
                return None
            values = self._series[series] = Values()
        return values

    @property
    def is_much(self) -> bool:
        """Whether there might soon be no room for more series, and those that are there can be sent."""
        return len(self._series) >= _MUCH and not self._waits

    def take_complete(self, before: float) -> dict[Series, Values]:
        """Take out what was measured in minutes that ended before a time."""
        taken = {series: values for series, values in self._series.items() if series.minute + PERIOD_SECONDS <= before}
        for series in taken:
            del self._series[series]
        self._waits = False
        if self._dropped:
            log.warning("%d measurements were dropped: there are too many metrics", self._dropped)
            self._dropped = 0
        return taken

    def requeue(self, taken: dict[Series, Values]) -> None:
        """Put in again what could not be sent."""
        self._waits = True
        for series, values in taken.items():
            if len(self._series) < _MOST_SERIES:
                self._series[series] = values
            else:
                self._dropped += values.count


def _make_metrics(block: Block) -> Metrics:
    namespace = block.service.namespace
    return Metrics(namespace, is_wanted=bool(namespace) and block.cloud.has("cloudwatch"))


_METRICS: Final = PerBlock(_make_metrics)


def get_metrics(block: Block) -> Metrics:
    """Return the measurements of a block."""
    return _METRICS.get(block)


def is_measured(block: Block) -> bool:
    """Return whether a block measures itself."""
    return _METRICS.get(block).is_wanted


def _minute(now: float) -> int:
    return int(now) // PERIOD_SECONDS * PERIOD_SECONDS


def clamp_to_ended_minute(now: float) -> float:
    """Return a time in the minute that has ended last: a gauge may be called late, or a clock have been moved on."""
    return _minute(now) - 1.0


async def is_first(block: Block, gauge: str, period: int) -> bool:
    """Whether no other process has read in a period what a gauge reads of the store, which several may share.

    Periods are numbers that grow. Each process counts for itself what it has answered.
    """
    if block.cloud.config.store is None:
        return True
    key = pack((f"{gauge}-measured",))

    async def claim(tx: Transaction) -> bool:
        raw = await tx.get(key)
        # A clock may have been set back. Another process that is ahead is so by one period at most.
        if raw is not None and int(raw) - period in (0, 1):
            return False
        tx.put(key, b"%d" % period)
        return True

    return await block.store.transact(claim)
