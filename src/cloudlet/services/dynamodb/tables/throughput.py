"""Throughput as it is asked for: provisioned, on demand with or without a maximum, warm.

Developer Guide, "Throughput capacity".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from cloudlet.core import AwsError
from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.tables.table_record import (
    ACTIVE,
    CREATING,
    ON_DEMAND,
    PROVISIONED,
    UPDATING,
    TableRecord,
    Throughput,
)

TABLE_UNITS = 40_000
"""How much a table or an index may read, and write (Developer Guide, "Service, account, and table quotas")."""
ACCOUNT_UNITS = 80_000
"""How much all tables and indexes of an account may read, and write, where that is provisioned."""
_PARTITION_READS = 3_000
_PARTITION_WRITES = 1_000
"""Units a second of one partition (Developer Guide, "Designing partition keys")."""
_DAY = 86_400
_HOUR = 3_600
_FREE_DECREASES = 4
"""So often throughput is decreased in a day, by UTC, before it takes an hour each time (same page)."""


def asked(params: Mapping[str, Any], billing: str, index: str | None = None) -> Throughput:
    """Return the throughput of a new table or index (by its name). Raises AwsError."""
    provisioned = params.get("ProvisionedThroughput")
    if billing == ON_DEMAND and provisioned is not None:
        if index is not None:
            raise errors.invalid_values(
                f"ProvisionedThroughput should not be specified for index: {index} when BillingMode is PAY_PER_REQUEST"
            )
        raise errors.invalid_values(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        )
    if billing == PROVISIONED and provisioned is None:
        if index is not None:
            raise errors.invalid_values(f"ProvisionedThroughput must be specified for index: {index}")
        raise errors.invalid_values(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    if billing == PROVISIONED and "OnDemandThroughput" in params:
        raise errors.invalid_values("OnDemandThroughput cannot be specified when BillingMode is PROVISIONED")
    made = Throughput() if provisioned is None else _provisioned(provisioned)
    return _limited(made, params)


def _provisioned(given: Mapping[str, int]) -> Throughput:
    read, write = _units(given)
    return Throughput(read, write, warm_read=read, warm_write=write)


def _units(given: Mapping[str, int]) -> tuple[int, int]:
    read, write = given["ReadCapacityUnits"], given["WriteCapacityUnits"]
    for name, wanted in (("ReadCapacityUnits", read), ("WriteCapacityUnits", write)):
        if wanted > TABLE_UNITS:
            raise errors.limit_exceeded(
                f"Subscriber limit exceeded: {name} of {wanted} exceeds the limit of {TABLE_UNITS} per table"
            )
    return read, write


def _limited(throughput: Throughput, params: Mapping[str, Any]) -> Throughput:
    """Return throughput with the maximum and the warm throughput that a request asks for.

    Warm throughput is never decreased (Developer Guide, "Understanding DynamoDB warm throughput").
    """
    most = params.get("OnDemandThroughput") or {}
    warm = params.get("WarmThroughput") or {}
    least = {"ReadUnitsPerSecond": throughput.warm_read, "WriteUnitsPerSecond": throughput.warm_write}
    for name, value in (most | warm).items():
        low = least.get(name, 1)
        if value < low and not (name in most and value == -1):
            raise errors.invalid_values(f"{name} must be at least {low}: {value}")
    return msgspec.structs.replace(
        throughput,
        most_read=most.get("MaxReadRequestUnits", throughput.most_read),
        most_write=most.get("MaxWriteRequestUnits", throughput.most_write),
        warm_read=warm.get("ReadUnitsPerSecond", throughput.warm_read),
        warm_write=warm.get("WriteUnitsPerSecond", throughput.warm_write),
    )


def changed(current: Throughput, params: Mapping[str, Any], now: float, what: str) -> Throughput:
    """Return throughput as a request changes it; `what` is "table" or "index: NAME". Raises AwsError."""
    provisioned = params.get("ProvisionedThroughput")
    if provisioned is None:
        return _limited(current, params)
    read, write = _units(provisioned)
    if (read, write) == (current.read, current.write):
        raise errors.validation(
            f"The provisioned throughput for the {what} will not change. The requested value equals the current value. "
            f"Current ReadCapacityUnits provisioned for the {what}: {current.read}. Requested ReadCapacityUnits: "
            f"{read}. Current WriteCapacityUnits provisioned for the {what}: {current.write}. Requested "
            f"WriteCapacityUnits: {write}. Refer to the Amazon DynamoDB Developer Guide for current limits and how to "
            "request higher limits."
        )
    decreases = current.decreases_today if current.decreased // _DAY == now // _DAY else 0
    made = msgspec.structs.replace(
        current,
        read=read,
        write=write,
        decreases_today=decreases,
        warm_read=max(read, current.warm_read),
        warm_write=max(write, current.warm_write),
    )
    if read < current.read or write < current.write:
        if decreases >= _FREE_DECREASES and now < current.decreased + _HOUR:
            raise _too_many_decreases(decreases, current.decreased)
        made = msgspec.structs.replace(made, decreased=now, decreases_today=decreases + 1)
    if read > current.read or write > current.write:
        made = msgspec.structs.replace(made, increased=now)
    return _limited(made, params)


def _too_many_decreases(today: int, last: float) -> AwsError:
    return errors.limit_exceeded(
        "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. "
        f"After the first {_FREE_DECREASES} decreases, each subsequent decrease in the same UTC day can be performed "
        f"at most once every {_HOUR} seconds. Number of decreases today: {today}. Last decrease at {_told(last)}. "
        f"Next decrease can be made at {_told(last + _HOUR)}"
    )


def _told(seconds: float) -> str:
    time = datetime.fromtimestamp(seconds, UTC)
    return f"{time:%A, %B} {time.day}, {time:%Y} {time.hour % 12 or 12}:{time:%M:%S %p} UTC"


def unchanged(throughput: Throughput) -> Throughput:
    """Return throughput as a new table has it, which nobody has increased or decreased yet."""
    return msgspec.structs.replace(throughput, increased=0, decreased=0, decreases_today=0)


def to_api(throughput: Throughput, now: float) -> dict[str, Any]:
    """Return ProvisionedThroughputDescription."""
    today = throughput.decreases_today if throughput.decreased // _DAY == now // _DAY else 0
    return {
        "LastIncreaseDateTime": throughput.increased or None,
        "LastDecreaseDateTime": throughput.decreased or None,
        "NumberOfDecreasesToday": today,
        "ReadCapacityUnits": throughput.read,
        "WriteCapacityUnits": throughput.write,
    }


def shown_limits(throughput: Throughput) -> dict[str, int] | None:
    """Return OnDemandThroughput, or None where there is no maximum."""
    if throughput.most_read == -1 and throughput.most_write == -1:
        return None
    return {"MaxReadRequestUnits": throughput.most_read, "MaxWriteRequestUnits": throughput.most_write}


def shown_warm(throughput: Throughput, status: str, *, is_asked: bool) -> dict[str, Any] | None:
    """Return WarmThroughput, or None while a table is made that was not asked to be warm (`is_asked`)."""
    if status == CREATING and not is_asked:
        return None
    return {
        "ReadUnitsPerSecond": throughput.warm_read,
        "WriteUnitsPerSecond": throughput.warm_write,
        "Status": UPDATING if is_asked else ACTIVE,
    }


def warming(params: Mapping[str, Any]) -> frozenset[str]:
    """Return the global indexes, and "" for the table, whose warm throughput a request asks for."""
    updates = [update for each in params.get("GlobalSecondaryIndexUpdates") or () for update in each.values()]
    given = [*(params.get("GlobalSecondaryIndexes") or ()), *updates]
    named = {each["IndexName"] for each in given if "WarmThroughput" in each}
    return frozenset(named | ({""} if "WarmThroughput" in params else set()))


def is_wide(record: TableRecord) -> bool:
    """Whether a table has been given more than one of AWS's partitions."""
    speed = record.throughput
    if record.billing == ON_DEMAND:
        return speed.warm_read > Throughput().warm_read or speed.warm_write > Throughput().warm_write
    return speed.warm_read > _PARTITION_READS or speed.warm_write > _PARTITION_WRITES
