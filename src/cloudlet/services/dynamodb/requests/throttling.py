"""Throttling: requests beyond the throughput of a table or a global index are refused, where that is asked for.

It is off unless the environment has CLOUDLET_DYNAMODB_THROTTLING=1: a development machine is not to be slower than it
is, but a program's retries want to be tested. What was not used is kept for five minutes, as AWS keeps it (Developer
Guide, "Burst and adaptive capacity"). Levels are kept in memory: a start of the process gives everybody a fresh second.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.requests.capacity import Consumed
from cloudlet.services.dynamodb.tables.table import Index, Table
from cloudlet.services.dynamodb.tables.table_record import ON_DEMAND, Throughput

SWITCH = "CLOUDLET_DYNAMODB_THROTTLING"
BURST_SECONDS = 300
_BUCKETS = 4096

Kind = Literal["Read", "Write"]


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float
    """When it had this level, in seconds since the epoch."""


class Throttle:
    """What is left of the throughput of tables and global indexes."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[int, int, Kind], _Bucket] = {}

    def admit(self, table: Table, kind: Kind, now: float, index: Index | None = None) -> None:
        """Raise what `refusal` returns."""
        error = self.refusal(table, kind, now, index)
        if error is not None:
            raise error

    def refusal(self, table: Table, kind: Kind, now: float, index: Index | None = None) -> AwsError | None:
        """Return an error unless something is left of the table (or, for a read of one, the global index).

        A write needs something of all global indexes as well.
        """
        if kind == "Write":
            needed = [None, *(each for each in table.live_indexes if each.is_global)]
        else:
            needed = [index if index is not None and index.is_global else None]
        return next((error for each in needed if (error := self._refusal(table, kind, now, each))), None)

    def spend(self, table: Table, kind: Kind, consumed: Consumed, now: float) -> None:
        """Take what a request has consumed; local indexes live on the table's throughput."""
        own = consumed.table
        for name, units in consumed.indexes.items():
            index = table.indexes[name]
            if index.is_global:
                self._take(table, kind, now, index, units)
            else:
                own += units
        self._take(table, kind, now, None, own)

    def _refusal(self, table: Table, kind: Kind, now: float, index: Index | None) -> AwsError | None:
        bucket = self._bucket(table, kind, now, index)
        if bucket is None or bucket.level > 0:
            return None
        return _on_demand(table, kind, index) if table.record.billing == ON_DEMAND else _provisioned(table, kind, index)

    def _take(self, table: Table, kind: Kind, now: float, index: Index | None, units: float) -> None:
        bucket = self._bucket(table, kind, now, index)
        if bucket is not None:
            bucket.level -= units

    def _bucket(self, table: Table, kind: Kind, now: float, index: Index | None) -> _Bucket | None:
        """Return the bucket of a table or an index, filled up to now; None where there is no limit."""
        record = table.record.throughput if index is None else index.record.throughput
        rate = _rate(record, kind, table.record.billing == ON_DEMAND)
        if rate is None:
            return None
        key = (table.id, -1 if index is None else index.record.number, kind)
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[key] = _Bucket(rate, now)
        bucket.level = min(rate * BURST_SECONDS, bucket.level + max(0.0, now - bucket.at) * rate)
        bucket.at = now
        return bucket


def _rate(throughput: Throughput, kind: Kind, on_demand: bool) -> float | None:
    if not on_demand:
        return throughput.read if kind == "Read" else throughput.write
    most = throughput.most_read if kind == "Read" else throughput.most_write
    return None if most < 0 else most


def _on_demand(table: Table, kind: Kind, index: Index | None) -> AwsError:
    return AwsError(
        "ThrottlingException",
        "Throughput exceeds the maximum OnDemandThroughput configured on table or index.",
        status=400,
        throttlingReasons=_reasons(table, kind, index, "MaxOnDemandThroughputExceeded"),
    )


def _provisioned(table: Table, kind: Kind, index: Index | None) -> AwsError:
    if index is None:
        what, level = "the table", "your provisioning level"
    else:
        what = "one or more global secondary indexes of the table"
        level = "your provisioning level for the under-provisioned global secondary indexes"
    return AwsError(
        "ProvisionedThroughputExceededException",
        f"The level of configured provisioned throughput for {what} was exceeded. Consider increasing {level} with the "
        "UpdateTable API.",
        ThrottlingReasons=_reasons(table, kind, index, "ProvisionedThroughputExceeded"),
    )


def _reasons(table: Table, kind: Kind, index: Index | None, limit: str) -> list[dict[str, str]]:
    """Return what was throttled and why (API reference, ThrottlingReason)."""
    if index is None:
        return [{"reason": f"Table{kind}{limit}", "resource": table.arn}]
    return [{"reason": f"Index{kind}{limit}", "resource": table.index_arn(index.name)}]


throttle = Throttle() if os.environ.get(SWITCH) == "1" else None
"""None where nothing is throttled."""
